//! Reads a stream without consuming it, for `crispy up` and `crispy status`.

use std::time::Duration;

use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy};
use crispy_fault::{DependencyId, Fault};
use crispy_jetstream::{
    ApiError, Headers, api,
    pull::{AckSubject, Pulled, Puller},
};
use jiff::Timestamp;

use crate::{Connection, Decode, Stream, header};

/// The server forgets a reader that was absent for this long.
const INACTIVE: Duration = Duration::from_secs(30);

/// The largest number of messages in delivery at once.
const BATCH: usize = 64;

/// The first message to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartAt {
    /// The next one to be published.
    New,
    /// The oldest one in the stream.
    Oldest,
    /// The last one of each subject, and later ones; the server requires a filter.
    LastPerSubject,
}

/// A message, and its metadata.
#[derive(Clone, Debug)]
pub struct Received<M> {
    /// Its content.
    pub message: M,
    /// Its subject.
    pub subject: String,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Time of storage, by the server's clock.
    pub published: Timestamp,
    /// Its headers.
    pub headers: Headers,
}

/// Reads a stream in order, each message once, across outages of the server.
///
/// * The server forgets the reader half a minute after it is dropped.
/// * Messages that left the stream during an outage, or because the stream discards old ones faster
///   than they are read, are skipped.
/// * A stream that was made again is read from its start.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    stream: String,
    filters: Vec<String>,
    start: StartAt,
    /// The last sequence that was read; `None` before the first message, and before anything is
    /// known of the stream.
    last: Option<u64>,
    /// Creation time of the stream, in Unix microseconds. With another one, sequences mean other
    /// messages.
    created_us: Option<i64>,
    /// The consumer's own count of the next message. A hole in it is a message lost in delivery.
    expected: u64,
    /// Number of messages that were stored after the last one read, at the time of its delivery.
    ahead: u64,
    puller: Option<Puller>,
}

impl Reader {
    /// Begins to read `stream`. `filters` are subjects, with wildcards or not; none of them reads
    /// all. [`StartAt::New`] means after this call.
    ///
    /// # Errors
    /// `NotFound` for a missing stream; else the failure of a request.
    pub async fn open(
        connection: &Connection,
        stream: Stream,
        start: StartAt,
        filters: &[&str],
    ) -> Result<Self, Fault> {
        let mut reader = Self {
            connection: connection.clone(),
            stream: stream.name(connection.prefix()),
            filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
            start,
            last: None,
            created_us: None,
            expected: 1,
            ahead: 0,
            puller: None,
        };
        reader.puller = Some(reader.begin().await?);
        Ok(reader)
    }

    /// The next message. Cancel safe.
    ///
    /// # Errors
    /// `Corrupt` for one message that cannot be decoded: the next call may follow at once. Any
    /// other failure may pass: call again after a pause.
    pub async fn next<M: Decode>(&mut self) -> Result<Received<M>, Fault> {
        loop {
            let Some(puller) = &mut self.puller else {
                self.puller = Some(self.begin().await?);
                continue;
            };
            puller.request(BATCH).await;
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

    /// Whether all stored messages were read, at the time of the opening or of the last message.
    pub fn is_at_end(&self) -> bool {
        self.ahead == 0
    }

    fn read<M: Decode>(
        &self,
        message: async_nats::Message,
        facts: &AckSubject,
    ) -> Result<Received<M>, Fault> {
        let headers = Headers::new(message.headers);
        let type_name = headers.get(header::TYPE).unwrap_or_default();
        let decoded = M::decode(type_name, &message.payload).map_err(|error| {
            let (sequence, stream) = (facts.stream_sequence, &self.stream);
            Fault::corrupt(format!("decode message {sequence} of stream {stream}"))
                .with_source(error)
        })?;
        Ok(Received {
            message: decoded,
            subject: message.subject.to_string(),
            sequence: facts.stream_sequence,
            published: facts.published,
            headers,
        })
    }

    /// A new consumer, after the last message that was read.
    async fn begin(&mut self) -> Result<Puller, Fault> {
        self.find_position().await?;
        let config = consumer::Config {
            deliver_policy: self.deliver_policy(),
            ack_policy: AckPolicy::None,
            filter_subjects: self.filters.clone(),
            inactive_threshold: INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..consumer::Config::default()
        };
        let made = api::put_consumer(&self.connection, &self.stream, config).await;
        let info = made.map_err(|error| self.failed(error))?;
        self.expected = 1;
        self.ahead = info.num_pending;
        Puller::open(&self.connection, &self.stream, &info.name)
            .await
            .map_err(|error| {
                Fault::unavailable(DependencyId::Queue, "read a stream on a closed connection")
                    .with_source(error)
            })
    }

    /// Finds the start position. [`StartAt::New`] becomes a sequence at once: if the first consumer
    /// is lost before its first message, the next one starts at the same position. A stream that
    /// was made again is read from its start, since all of it is new.
    async fn find_position(&mut self) -> Result<(), Fault> {
        let info = api::stream_info(&self.connection, &self.stream).await;
        let info = info.map_err(|error| self.failed(error))?;
        let created_us = api::created_us(&info);
        match self.created_us.replace(created_us) {
            None if self.start == StartAt::New => self.last = Some(info.state.last_sequence),
            Some(before) if before != created_us => self.last = Some(0),
            _ => {}
        }
        Ok(())
    }

    fn failed(&self, error: ApiError) -> Fault {
        error.into_fault(format!("read stream {}", self.stream))
    }

    fn deliver_policy(&self) -> DeliverPolicy {
        match (self.last, self.start) {
            (None, StartAt::New) => DeliverPolicy::New,
            (None, StartAt::Oldest) => DeliverPolicy::All,
            (None, StartAt::LastPerSubject) => DeliverPolicy::LastPerSubject,
            (Some(last), _) => DeliverPolicy::ByStartSequence {
                start_sequence: last + 1,
            },
        }
    }
}
