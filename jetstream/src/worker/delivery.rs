//! One delivery of one message.

use std::sync::Arc;

use async_nats::{HeaderMap, Message, Subject};
use bytes::Bytes;
use jiff::Timestamp;

use crate::{header, pull::ack::AckSubject};

/// The identity of a message: its sequence in a stream of known creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct MessageRef {
    pub(super) created_us: i64,
    pub(super) sequence: u64,
}

/// One delivery of one message.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Its `Nats-Msg-Id`.
    pub message_id: Option<String>,
    /// The subject that it was published on.
    pub subject: String,
    /// The name of its stream.
    pub stream: String,
    /// Its sequence in the stream.
    pub stream_sequence: u64,
    /// Creation of the stream, Unix microseconds. With it the sequence identifies one message.
    pub stream_created_us: i64,
    /// This worker's attempt at it, from 1. Outages are not counted.
    pub attempt: u32,
    /// Deliveries to any worker, by the server's count, from 1.
    pub deliveries: u64,
    /// An earlier attempt of this worker did not finish: its effects may be there already.
    pub begun: bool,
    /// When the stream stored it, by the server's clock.
    pub published: Timestamp,
    /// Its headers.
    pub headers: Headers,
    /// Its content.
    pub payload: Bytes,
    /// The subject on which it is acknowledged. None outside a worker.
    pub reply: Option<Subject>,
}

impl Delivery {
    /// The delivery in `message`, of a stream created at `created_us`. None where the message comes
    /// from no stream.
    pub(super) fn new(message: Message, created_us: i64) -> Option<Self> {
        let reply = message.reply?;
        let ack = AckSubject::parse(&reply)?;
        let headers = Headers::new(message.headers);
        Some(Self {
            message_id: headers.get(header::MESSAGE_ID).map(str::to_owned),
            subject: message.subject.to_string(),
            stream: ack.stream,
            stream_sequence: ack.stream_sequence,
            stream_created_us: created_us,
            attempt: 1,
            deliveries: ack.deliveries,
            begun: false,
            published: ack.published,
            headers,
            payload: message.payload,
            reply: Some(reply),
        })
    }

    pub(super) fn message_ref(&self) -> MessageRef {
        MessageRef {
            created_us: self.stream_created_us,
            sequence: self.stream_sequence,
        }
    }

    /// Whether an earlier attempt, here or elsewhere, may have had its effects already.
    pub fn is_repeated(&self) -> bool {
        self.deliveries > 1 || self.begun
    }

    /// The value of header `name`.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }
}

/// The headers of a message, in the client's order. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Headers(Arc<HeaderMap>);

impl Headers {
    /// The headers of one of the client's messages.
    pub fn new(map: Option<HeaderMap>) -> Self {
        Self(Arc::new(map.unwrap_or_default()))
    }

    /// The first value of header `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }

    /// All headers: name, value.
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
