//! Reading a stream along, without taking anything from it: what `crispy up` and `crispy status` learn from.

use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy};
use crispy_jetstream::{
    ApiError, Headers, api,
    pull::{AckSubject, Pulled, Puller},
};
use jiff::Timestamp;

use crate::{Connection, Decode, DecodeError, Stream, header};

/// How long the server remembers a reader that has gone.
const ABSENCE: Duration = Duration::from_secs(30);

/// Messages on their way at once.
const AT_ONCE: usize = 64;

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum From {
    /// With what is published from now on.
    New,
    /// With the oldest message that is still there.
    Start,
    /// With the last message of each subject, and on from there; the server wants a filter for that.
    LastOfEach,
    /// With the first message stored at this time or later.
    Time(Timestamp),
}

/// A message that was read.
#[derive(Clone, Debug)]
pub struct Received<M> {
    /// What it says.
    pub message: M,
    /// The subject it was published on.
    pub subject: String,
    /// Its place in the stream.
    pub sequence: u64,
    /// When the stream stored it, by the server's clock.
    pub published: Timestamp,
    /// Its headers.
    pub headers: Headers,
}

/// Reads a stream in order, each message once, across outages of the server.
///
/// It leaves no trace: the server forgets it half a minute after it is gone. A message that left the stream while the server was away, or
/// because the stream discards old ones faster than they are read, is not seen. A stream that was made again is read from its start.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    stream: String,
    filters: Vec<String>,
    from: From,
    /// Behind which place it reads on; `None`: nothing was read yet, and nothing is known of the stream.
    last: Option<u64>,
    /// When the stream was created, in Unix microseconds: another time, and its places mean other messages.
    created_us: Option<i64>,
    /// The consumer's own count of the next message: a hole in it means that one was lost on the way.
    expected: u64,
    /// Messages that were stored behind the last one given out when it was delivered.
    ahead: u64,
    puller: Option<Puller>,
}

/// Reading a stream failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReaderError {
    /// The stream is missing.
    #[error("stream {stream} is missing: run `crispy setup`")]
    MissingStream {
        /// Its name on the server.
        stream: String,
    },
    /// The consumer could not be made.
    #[error("read stream {stream}")]
    Consumer {
        /// The stream's name on the server.
        stream: String,
        /// Why not.
        source: ApiError,
    },
    /// The connection is closed.
    #[error("read a stream on a closed connection")]
    Closed(#[source] async_nats::SubscribeError),
    /// A message cannot be read; the next call goes on behind it.
    #[error("decode message {sequence} of stream {stream}")]
    Malformed {
        /// The stream's name on the server.
        stream: String,
        /// The message's place in it.
        sequence: u64,
        /// What is wrong with it.
        source: DecodeError,
    },
}

impl Reader {
    /// Begins to read `stream`. `filters` are subjects, wildcards allowed; none is all. When this returns, "new" has begun.
    pub async fn open(
        connection: &Connection,
        stream: Stream,
        from: From,
        filters: &[&str],
    ) -> Result<Self, ReaderError> {
        let mut reader = Self {
            connection: connection.clone(),
            stream: stream.name(connection.prefix()),
            filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
            from,
            last: None,
            created_us: None,
            expected: 1,
            ahead: 0,
            puller: None,
        };
        reader.puller = Some(reader.begin().await?);
        Ok(reader)
    }

    /// The next message. Cancel safe. An error concerns one message, or passes: call again, after a pause where it is
    /// [`ReaderError::Consumer`].
    pub async fn next<M: Decode>(&mut self) -> Result<Received<M>, ReaderError> {
        loop {
            let Some(puller) = &mut self.puller else {
                self.puller = Some(self.begin().await?);
                continue;
            };
            puller.want(AT_ONCE).await;
            match puller.next().await {
                Pulled::Expired => {}
                Pulled::Broken(_) => self.puller = None,
                Pulled::Message(message) => {
                    let reply = message.reply.as_deref();
                    let Some(facts) = reply.and_then(AckSubject::parse) else {
                        continue;
                    };
                    if facts.consumer_sequence != self.expected {
                        self.puller = None;
                        continue;
                    }
                    self.expected += 1;
                    self.last = Some(facts.stream_sequence);
                    self.ahead = facts.pending;
                    return self.read(message, &facts);
                }
            }
        }
    }

    /// Whether all that was stored has been read, as of the opening or the last message.
    pub fn is_at_end(&self) -> bool {
        self.ahead == 0
    }

    fn read<M: Decode>(
        &self,
        message: async_nats::Message,
        facts: &AckSubject,
    ) -> Result<Received<M>, ReaderError> {
        let headers = Headers::new(message.headers);
        let type_name = headers.get(header::TYPE).unwrap_or_default();
        let read = M::decode(type_name, &message.payload);
        let read = read.map_err(|source| ReaderError::Malformed {
            stream: self.stream.clone(),
            sequence: facts.stream_sequence,
            source,
        })?;
        Ok(Received {
            message: read,
            subject: message.subject.to_string(),
            sequence: facts.stream_sequence,
            published: facts.published,
            headers,
        })
    }

    /// A fresh consumer, behind the last message that was given out.
    async fn begin(&mut self) -> Result<Puller, ReaderError> {
        self.find_place().await?;
        let config = consumer::Config {
            deliver_policy: self.deliver_policy(),
            ack_policy: AckPolicy::None,
            filter_subjects: self.filters.clone(),
            inactive_threshold: ABSENCE,
            memory_storage: true,
            num_replicas: 1,
            ..consumer::Config::default()
        };
        let made = api::put_consumer(&self.connection, &self.stream, config).await;
        let info = made.map_err(|source| self.failed(source))?;
        self.expected = 1;
        self.ahead = info.num_pending;
        Puller::open(&self.connection, &self.stream, &info.name)
            .await
            .map_err(ReaderError::Closed)
    }

    /// Where to begin. "New" is made a place at once: should the first consumer be lost before it has given out anything, the next one begins
    /// where that one did. And a stream that was made again is read from its start: all of it is new.
    async fn find_place(&mut self) -> Result<(), ReaderError> {
        let info = api::stream_info(&self.connection, &self.stream).await;
        let info = info.map_err(|source| self.failed(source))?;
        let created_us = api::created_us(&info);
        match self.created_us.replace(created_us) {
            None if self.from == From::New => self.last = Some(info.state.last_sequence),
            Some(before) if before != created_us => self.last = Some(0),
            _ => {}
        }
        Ok(())
    }

    fn failed(&self, source: ApiError) -> ReaderError {
        let stream = self.stream.clone();
        match source {
            ApiError::NoStream => ReaderError::MissingStream { stream },
            source => ReaderError::Consumer { stream, source },
        }
    }

    fn deliver_policy(&self) -> DeliverPolicy {
        match (self.last, self.from) {
            (None, From::New) => DeliverPolicy::New,
            (None, From::Start) => DeliverPolicy::All,
            (None, From::LastOfEach) => DeliverPolicy::LastPerSubject,
            (None, From::Time(time)) => {
                match async_nats::datetime::from_nanos(time.as_nanosecond()) {
                    Ok(start_time) => DeliverPolicy::ByStartTime { start_time },
                    Err(_) => DeliverPolicy::All,
                }
            }
            (Some(last), _) => DeliverPolicy::ByStartSequence {
                start_sequence: last + 1,
            },
        }
    }
}
