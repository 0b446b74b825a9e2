//! The span of what is asked of a bucket about one object.

use std::sync::Arc;

use tracing::{Instrument, Span, field::Empty, info_span};
use url::Url;

use super::{Bucket, Store, asked::Asked};

impl Bucket {
    /// Asks something about one object in a span `{method} object`: one request, or several that are one to whoever asks. Where the bucket is reached
    /// over HTTP it says by which method and of whom, what the answer's status was or how the request broke, and how often it was sent again: by
    /// this bucket, and by the caller, who had sent it `resent` times before. All in the words of OpenTelemetry's conventions; the bucket's URL
    /// holds no credentials, and no other URL is told.
    ///
    /// The work may record `bytes`, `reads`, and `outcome` where there is more than one way to succeed. That it failed is for its owner to
    /// say, who knows the whole reason.
    pub async fn in_span<T, E>(
        &self,
        method: &'static str,
        key: &str,
        resent: u32,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        // What is asked of a store is a deep future: on the heap it is moved through the layers here at no cost, and not on a worker's stack.
        let work = Box::pin(work);
        let span = self.span(method, key);
        if span.is_disabled() {
            return work.await;
        }
        let asked = Asked::new(method, key);
        let result = Arc::clone(&asked)
            .within(work)
            .instrument(span.clone())
            .await;
        if self.endpoint().is_some() {
            let notes = asked.notes();
            // Unsigned numbers would be told as text.
            span.record("http.response.status_code", notes.status.map(i64::from));
            let resent = i64::from(resent + notes.resent);
            span.record("http.request.resend_count", (resent > 0).then_some(resent));
            if result.is_err() {
                span.record("error.type", notes.error_type());
            }
        }
        result
    }

    fn span(&self, method: &'static str, key: &str) -> Span {
        let endpoint = self.endpoint();
        info_span!(
            "object",
            otel.name = format_args!("{method} object"),
            otel.kind = "client",
            http.request.method = endpoint.map(|_| method),
            http.request.resend_count = Empty,
            http.response.status_code = Empty,
            error.type = Empty,
            server.address = endpoint.and_then(Url::host_str),
            server.port = endpoint.and_then(Url::port_or_known_default).map(i64::from),
            bucket = self.url(),
            object = key,
            bytes = Empty,
            reads = Empty,
            outcome = Empty,
        )
    }

    fn endpoint(&self) -> Option<&Url> {
        match &self.store {
            Store::Folder(_) => None,
            Store::Objects(objects) => objects.endpoint(),
        }
    }
}
