//! What was asked of a store for one span, and what came of it: noted on the wire, told when the span ends.
//!
//! ```text
//!   PUT object ── put ─────────► 503   is about it: http.response.status_code
//!              └─ is it there? ► 404   is not: another method
//!                 may I write? ► 412   is not: another key
//! ```
//!
//! A span is of one request, and what is asked beside it, to find out what came of that one, is not its own. A request's path ends with the key
//! that it is about, escaped as its store wants it; one for credentials ends with none.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use object_store::client::{HttpErrorKind, HttpRequest};
use percent_encoding::percent_decode_str;

tokio::task_local! {
    static ASKED: Arc<Asked>;
}

/// Where a span's requests are noted.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    method: &'static str,
    key: String,
    notes: Mutex<Notes>,
}

/// What came of the latest request, and how often one was sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// The range that it was for, if any.
    range: Option<Vec<u8>>,
    pub(super) status: Option<u16>,
    broke: Option<&'static str>,
    sent: bool,
    pub(super) resent: u32,
}

impl Asked {
    pub(super) fn new(method: &'static str, key: &str) -> Arc<Self> {
        Arc::new(Self {
            method,
            key: format!("/{key}"),
            notes: Mutex::default(),
        })
    }

    /// Those of the work under way; where there are none, nobody wants to know.
    pub(crate) fn current() -> Arc<Self> {
        ASKED.try_with(Arc::clone).unwrap_or_default()
    }

    /// Does something whose requests are noted here.
    pub(crate) async fn within<T>(self: Arc<Self>, work: impl Future<Output = T>) -> T {
        ASKED.scope(self, work).await
    }

    /// The same, if this request is the span's own. It is about to be sent; if it is the one before it once more, that is counted.
    pub(super) fn sends(self: Arc<Self>, request: &HttpRequest) -> Option<Arc<Self>> {
        let path = percent_decode_str(request.uri().path()).decode_utf8_lossy();
        if request.method().as_str() != self.method || !path.ends_with(&self.key) {
            return None;
        }
        let range = request.headers().get("range");
        let range = range.map(|range| range.as_bytes().to_vec());
        let mut notes = self.notes_mut();
        let again = notes.sent && notes.range == range;
        *notes = Notes {
            range,
            sent: true,
            status: None,
            broke: None,
            resent: notes.resent + u32::from(again),
        };
        drop(notes);
        Some(self)
    }

    pub(super) fn answered(&self, status: u16) {
        self.notes_mut().status = Some(status);
    }

    pub(super) fn broke(&self, kind: HttpErrorKind) {
        self.notes_mut().broke = Some(match kind {
            HttpErrorKind::Connect => "connect",
            HttpErrorKind::Request => "request",
            HttpErrorKind::Timeout => "timeout",
            HttpErrorKind::Interrupted => "interrupted",
            HttpErrorKind::Decode => "decode",
            _ => OTHER,
        });
    }

    pub(super) fn notes(&self) -> Notes {
        self.notes_mut().clone()
    }

    fn notes_mut(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The conventions' word for what has no other.
const OTHER: &str = "_OTHER";

impl Notes {
    /// `error.type` of a span that ended in error: the status if it was one, else how the request broke. A request that neither was answered nor
    /// broke was given up by whoever waited for it.
    pub(super) fn error_type(&self) -> String {
        match (self.status, self.broke) {
            (Some(status), _) if status >= 300 => status.to_string(),
            (Some(_), _) => OTHER.to_owned(),
            (None, Some(broke)) => broke.to_owned(),
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
    fn what_is_asked_beside_a_request_is_not_its_own() {
        let asked = Asked::new("PUT", "v1/a.mp4");
        let is_own = |method, path| {
            let asked = Arc::clone(&asked);
            asked.sends(&request(method, path, None)).is_some()
        };
        assert!(is_own("PUT", "/bucket/prefix/v1/a.mp4"));
        for (method, path) in [
            ("HEAD", "/bucket/prefix/v1/a.mp4"),
            ("PUT", "/bucket/prefix/.crispy-probe"),
            ("PUT", "/latest/api/token"),
            ("PUT", "/bucket/xv1/a.mp4"),
        ] {
            assert!(!is_own(method, path), "{method} {path}");
        }
        assert_eq!(asked.notes().resent, 0);
        assert!(is_own("PUT", "/bucket/prefix%2Fv1%2Fa%2Emp4"));
        assert_eq!(asked.notes().resent, 1);
    }

    #[test]
    fn reading_on_is_not_asking_again() {
        let asked = Asked::new("GET", "a");
        for (range, resent) in [("0-9", 0), ("10-19", 0), ("10-19", 1), ("20-29", 1)] {
            let request = request("GET", "/b/a", Some(range));
            assert!(Arc::clone(&asked).sends(&request).is_some());
            assert_eq!(asked.notes().resent, resent, "{range}");
        }
    }

    #[test]
    fn an_error_is_called_by_its_status_or_by_how_the_request_broke() {
        let asked = Asked::new("PUT", "a");
        assert_eq!(asked.notes().error_type(), "_OTHER");
        let send = || Arc::clone(&asked).sends(&request("PUT", "/b/a", None));
        assert!(send().is_some());
        assert_eq!(asked.notes().error_type(), "timeout");
        asked.broke(HttpErrorKind::Connect);
        assert_eq!(asked.notes().error_type(), "connect");
        assert!(send().is_some());
        asked.answered(503);
        assert_eq!(asked.notes().error_type(), "503");
        assert!(send().is_some());
        asked.answered(200);
        assert_eq!(asked.notes().error_type(), "_OTHER");
    }
}
