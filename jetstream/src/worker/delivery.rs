//! One delivery of one message.

use std::sync::Arc;

use async_nats::HeaderMap;
use jiff::Timestamp;

/// What is known of a message beside its content.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Its `Nats-Msg-Id`: which sending it is.
    pub message_id: Option<String>,
    /// The subject it was published on.
    pub subject: String,
    /// The stream that it was taken from, by its name on the server.
    pub stream: String,
    /// Its place in the stream.
    pub stream_sequence: u64,
    /// When the stream was created, in Unix microseconds; with it the sequence means one message and no other.
    pub stream_created_us: i64,
    /// This worker's attempt at it, from 1. Outages are not counted.
    pub attempt: u32,
    /// Deliveries by the server's count, to whomever, from 1.
    pub deliveries: u64,
    /// This worker has had its hands on it before, and could not finish: its effects may be there already.
    pub begun: bool,
    /// When the stream stored it, by the server's clock.
    pub published: Timestamp,
    /// Its headers.
    pub headers: Headers,
}

impl Delivery {
    /// Somebody has had it before: its effects may be there already.
    pub fn is_repeated(&self) -> bool {
        self.deliveries > 1 || self.begun
    }

    /// The value of header `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

/// A message's headers, in the order in which the client keeps them. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Headers(Arc<HeaderMap>);

impl Headers {
    /// The headers of a message of the client.
    pub fn new(map: Option<HeaderMap>) -> Self {
        Self(Arc::new(map.unwrap_or_default()))
    }

    /// The first value of header `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }

    /// Every header: name, value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(name, values)| {
            let name: &str = name.as_ref();
            values.iter().map(move |value| (name, value.as_str()))
        })
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(headers: T) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        Self(Arc::new(map))
    }
}
