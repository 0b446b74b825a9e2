//! The span of what is asked of a bucket about one object.

use tracing::{Span, field::Empty, info_span};
use url::Url;

use super::{Bucket, Store};

impl Bucket {
    /// A span `{method} object`: of one request, or of several that are one to whoever asks. Where the bucket is reached over HTTP it says by which
    /// method and of whom, in the words of OpenTelemetry's conventions; the bucket's URL holds no credentials.
    ///
    /// Whoever asks enters it, and records `bytes`, and `outcome` where there is more than one way to succeed.
    pub fn span(&self, method: &'static str, key: &str) -> Span {
        let endpoint = match &self.store {
            Store::Folder(_) => None,
            Store::Objects(objects) => objects.endpoint(),
        };
        info_span!(
            "object",
            otel.name = format_args!("{method} object"),
            otel.kind = "client",
            http.request.method = endpoint.map(|_| method),
            server.address = endpoint.and_then(Url::host_str),
            server.port = endpoint.and_then(Url::port_or_known_default),
            bucket = self.url(),
            object = key,
            bytes = Empty,
            reads = Empty,
            outcome = Empty,
        )
    }
}
