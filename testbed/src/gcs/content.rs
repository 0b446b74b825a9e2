//! The bytes of an object.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;

/// Bytes in the pieces in which they came: they are never copied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content(pub(crate) Vec<Bytes>);

impl Content {
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|piece| piece.len() as u64).sum()
    }

    /// The bytes from `from` up to, not including, `end`.
    pub(crate) fn slice(&self, from: u64, end: u64) -> Self {
        let mut at = 0;
        let mut pieces = Vec::new();
        for piece in &self.0 {
            let next = at + piece.len() as u64;
            let (first, last) = (from.max(at), end.min(next));
            if first < last {
                // Within a piece, whose length is a usize.
                pieces.push(piece.slice((first - at) as usize..(last - at) as usize));
            }
            at = next;
        }
        Self(pieces)
    }

    pub(crate) fn into_body(self) -> Body {
        let pieces = self.0.into_iter().map(Ok::<_, Infallible>);
        Body::from_stream(stream::iter(pieces))
    }
}
