//! An answer on its way out, whichever language it speaks.

use std::{
    pin::Pin,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::StreamBody;
use hyper::{
    HeaderMap, Method, Response, StatusCode,
    body::Frame,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};

use super::objects::Content;

/// What hyper sends.
pub(crate) type Outgoing = StreamBody<Pin<Box<dyn Stream<Item = Piece> + Send>>>;
type Piece = Result<Frame<Bytes>, Broken>;

/// Closes a connection where an answer is due.
#[derive(Debug, thiserror::Error)]
#[error("the connection was broken on purpose")]
pub(crate) struct Broken;

/// Status, headers and bytes.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(crate) fn text(status: StatusCode, content_type: &'static str, text: String) -> Self {
        let mut answer = Self::empty(status).with(CONTENT_TYPE.as_str(), content_type);
        answer.content = Content(vec![Bytes::from(text)]);
        answer
    }

    pub(crate) fn json(value: &serde_json::Value) -> Self {
        let text = value.to_string();
        Self::text(StatusCode::OK, "application/json; charset=UTF-8", text)
    }

    /// With one header more, beside those of the same name. One that HTTP does not allow is left out: its writer could not have sent it either.
    pub(crate) fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let value = HeaderValue::from_bytes(value.as_ref().as_bytes());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), value) {
            self.headers.append(name, value);
        }
        self
    }

    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs().to_string();
        self.with(RETRY_AFTER.as_str(), seconds)
    }

    /// To be sent in answer to this method. `breaks_off` ends the connection after so many bytes.
    pub(crate) fn into_response(
        self,
        method: &Method,
        breaks_off: Option<usize>,
    ) -> Response<Outgoing> {
        let mut headers = self.headers;
        let length = HeaderValue::from(self.content.len());
        headers.entry(CONTENT_LENGTH).or_insert(length);
        let date = httpdate::fmt_http_date(SystemTime::now());
        if let Ok(date) = HeaderValue::from_str(&date) {
            headers.insert("date", date);
        }
        headers.insert("server", HeaderValue::from_static("crispy-gcs-simulator"));
        let content = match (method, breaks_off) {
            (&Method::HEAD, _) => Content::default(),
            (_, Some(bytes)) => self.content.slice(0, bytes as u64),
            (_, None) => self.content,
        };
        let pieces = stream::iter(content.0.into_iter().map(|piece| Ok(Frame::data(piece))));
        let pieces: Pin<Box<dyn Stream<Item = Piece> + Send>> = match breaks_off {
            Some(_) => Box::pin(pieces.chain(stream::once(break_off()))),
            None => Box::pin(pieces),
        };
        let mut response = Response::new(StreamBody::new(pieces));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        response
    }
}

/// Waits once, so that what came before it is sent first.
async fn break_off() -> Piece {
    tokio::task::yield_now().await;
    Err(Broken)
}
