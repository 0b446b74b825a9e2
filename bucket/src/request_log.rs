//! The log of HTTP requests, kept for the operation and for the span that they belong to.
//!
//! ```text
//!   PUT object ── put ──────────► 503   the span's own request: http.response.status_code
//!              ├─ look-up ──────► 404   not its own: another method
//!              └─ health check ─► 412   not its own: another key
//! ```
//!
//! object_store's errors keep a status and a text, and lose headers. So each operation runs in a
//! task-local log, where the HTTP client records its last request. A span describes one request:
//! requests made beside it, to find out the outcome of that one, are not its own. A request's path
//! ends with the key that it concerns, escaped as its store needs it; a request for credentials
//! ends with no key.

use std::{cell::RefCell, sync::Arc};

use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponse};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;

use crate::remote::error_response::ErrorResponse;

tokio::task_local! {
    static LOG: RequestLog;
}

/// The log of one operation.
struct RequestLog {
    span: Option<Arc<SpanRequests>>,
    last: RefCell<LastRequest>,
}

/// The last request of an operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastRequest {
    pub(crate) host: String,
    /// The answer, if it was an error.
    pub(crate) error: Option<ErrorResponse>,
}

/// Runs an operation; also returns its last request.
pub(crate) async fn observe<T>(operation: impl Future<Output = T>) -> (T, LastRequest) {
    let log = RequestLog {
        span: SpanRequests::current(),
        last: RefCell::default(),
    };
    let operation = async {
        let result = operation.await;
        (result, LOG.with(|log| log.last.take()))
    };
    LOG.scope(log, operation).await
}

/// Records a request that is about to be sent. Returns the log of the current span, if the request
/// is the span's own.
pub(crate) fn record_request(request: &HttpRequest) -> Option<Arc<SpanRequests>> {
    let log = |log: &RequestLog| {
        *log.last.borrow_mut() = LastRequest {
            host: request.uri().host().unwrap_or_default().to_owned(),
            error: None,
        };
        let span = log.span.as_ref()?;
        span.record_request(request).then(|| Arc::clone(span))
    };
    // Requests outside of any operation have no log.
    LOG.try_with(log).ok().flatten()
}

/// Records an error as the answer to the last request.
pub(crate) fn record_error(error: ErrorResponse) {
    let _ = LOG.try_with(|log| log.last.borrow_mut().error = Some(error));
}

/// The requests of a span.
#[derive(Debug, Default)]
pub(crate) struct SpanRequests {
    method: &'static str,
    key: String,
    summary: Mutex<Summary>,
}

/// The outcome of a span's latest request, and the number of repetitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Its `Range` header, if any.
    range: Option<Vec<u8>>,
    pub(crate) status: Option<u16>,
    failure: Option<&'static str>,
    sent: bool,
    pub(crate) resent: u32,
}

impl SpanRequests {
    pub(crate) fn new(method: &'static str, key: &str) -> Arc<Self> {
        Arc::new(Self {
            method,
            key: format!("/{key}"),
            summary: Mutex::default(),
        })
    }

    /// Those of the current task; none outside of a span.
    pub(crate) fn current() -> Option<Arc<Self>> {
        LOG.try_with(|log| log.span.clone()).ok().flatten()
    }

    /// Runs `work`, whose requests are recorded here.
    pub(crate) async fn scope<T>(self: Arc<Self>, work: impl Future<Output = T>) -> T {
        let log = RequestLog {
            span: Some(self),
            last: RefCell::default(),
        };
        LOG.scope(log, work).await
    }

    /// Counts a request if it is the span's own, and counts it as resent if it is a repetition.
    fn record_request(&self, request: &HttpRequest) -> bool {
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
        if request.method().as_str() != self.method || !path.ends_with(&self.key) {
            return false;
        }
        let range = request.headers().get("range");
        let range = range.map(|range| range.as_bytes().to_vec());
        let mut summary = self.summary.lock();
        let again = summary.sent && summary.range == range;
        *summary = Summary {
            range,
            sent: true,
            status: None,
            failure: None,
            resent: summary.resent + u32::from(again),
        };
        true
    }

    pub(crate) fn record_answer(&self, answer: &Result<HttpResponse, HttpError>) {
        match answer {
            Ok(response) => self.summary.lock().status = Some(response.status().as_u16()),
            Err(error) => self.summary.lock().failure = Some(name(error.kind())),
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        self.summary.lock().clone()
    }
}

/// The conventions' fallback for `error.type`.
const OTHER: &str = "_OTHER";

fn name(kind: HttpErrorKind) -> &'static str {
    match kind {
        HttpErrorKind::Connect => "connect",
        HttpErrorKind::Request => "request",
        HttpErrorKind::Timeout => "timeout",
        HttpErrorKind::Interrupted => "interrupted",
        HttpErrorKind::Decode => "decode",
        _ => OTHER,
    }
}

impl Summary {
    /// `error.type` of a failed span: the status of an error response, else the failure of the
    /// request. A request with neither was given up by its caller.
    pub(crate) fn error_type(&self) -> String {
        match (self.status, self.failure) {
            (Some(status), _) if status >= 300 => status.to_string(),
            (Some(_), _) => OTHER.to_owned(),
            (None, Some(failure)) => failure.to_owned(),
            (None, None) if self.sent => "timeout".to_owned(),
            (None, None) => OTHER.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::client::HttpRequestBody;

    use super::*;

    fn request(method: &str, path: &str, range: Option<&str>) -> HttpRequest {
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = format!("http://h{path}").parse().unwrap();
        if let Some(range) = range {
            request
                .headers_mut()
                .insert("range", range.parse().unwrap());
        }
        request
    }

    #[test]
    fn requests_of_other_methods_and_keys_are_not_the_spans_own() {
        let span = SpanRequests::new("PUT", "v1/a.mp4");
        let is_own = |method, path| span.record_request(&request(method, path, None));
        assert!(is_own("PUT", "/bucket/prefix/v1/a.mp4"));
        for (method, path) in [
            ("HEAD", "/bucket/prefix/v1/a.mp4"),
            ("PUT", "/bucket/prefix/.crispy-probe"),
            ("PUT", "/latest/api/token"),
            ("PUT", "/bucket/xv1/a.mp4"),
        ] {
            assert!(!is_own(method, path), "{method} {path}");
        }
        assert_eq!(span.summary().resent, 0);
        assert!(is_own("PUT", "/bucket/prefix%2Fv1%2Fa%2Emp4"));
        assert_eq!(span.summary().resent, 1);
    }

    #[test]
    fn the_next_range_is_no_repetition() {
        let span = SpanRequests::new("GET", "a");
        for (range, resent) in [("0-9", 0), ("10-19", 0), ("10-19", 1), ("20-29", 1)] {
            assert!(span.record_request(&request("GET", "/b/a", Some(range))));
            assert_eq!(span.summary().resent, resent, "{range}");
        }
    }

    #[test]
    fn error_type_is_the_status_or_the_failure_of_the_request() {
        let span = SpanRequests::new("PUT", "a");
        let error_type = || span.summary().error_type();
        let send = || assert!(span.record_request(&request("PUT", "/b/a", None)));
        let answer = |status: u16| {
            let mut response = HttpResponse::new(Vec::new().into());
            *response.status_mut() = status.try_into().unwrap();
            span.record_answer(&Ok(response));
        };
        assert_eq!(error_type(), "_OTHER");
        send();
        assert_eq!(error_type(), "timeout");
        let refused = std::io::Error::other("refused");
        span.record_answer(&Err(HttpError::new(HttpErrorKind::Connect, refused)));
        assert_eq!(error_type(), "connect");
        send();
        answer(503);
        assert_eq!(error_type(), "503");
        send();
        answer(200);
        assert_eq!(error_type(), "_OTHER");
    }
}
