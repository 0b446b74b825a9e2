//! Spans of operations on one object.

use std::sync::Arc;

use tracing::{Instrument, Span, field::Empty, info_span};
use url::Url;

use crate::{Bucket, request_log::SpanRequests};

impl Bucket {
    /// Runs `work` on one object in a span `{method} object`: one request, or several that are one
    /// to the caller.
    ///
    /// For a remote bucket the span has the request's method, the server, the answer's status or
    /// the failure of the request, and the number of repetitions: by this bucket, and by the
    /// caller, which had sent the request `resent` times before. All names are those of
    /// OpenTelemetry's conventions. The bucket's URL has no credentials, and no other URL is
    /// recorded.
    ///
    /// The work may record `bytes`, `reads`, and `outcome` where there is more than one way to
    /// succeed. The caller, which knows the whole reason, sets the span's error status.
    pub async fn in_span<T, E>(
        &self,
        method: &'static str,
        key: &str,
        resent: u32,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let span = self.span(method, key);
        if span.is_disabled() {
            return work.await;
        }
        let requests = SpanRequests::new(method, key);
        let result = Arc::clone(&requests)
            .scope(work)
            .instrument(span.clone())
            .await;
        if self.backend.endpoint().is_some() {
            let summary = requests.summary();
            // Unsigned numbers would be exported as text.
            span.record("http.response.status_code", summary.status.map(i64::from));
            let resent = i64::from(resent + summary.resent);
            span.record("http.request.resend_count", (resent > 0).then_some(resent));
            if result.is_err() {
                span.record("error.type", summary.error_type());
            }
        }
        result
    }

    fn span(&self, method: &'static str, key: &str) -> Span {
        let endpoint = self.backend.endpoint();
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
}
