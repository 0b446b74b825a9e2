//! Spool events: the messages that let an ingestor free its spool, or keep a chunk in it.

use std::time::Duration;

use async_nats::{
    Message,
    jetstream::consumer::{self, AckPolicy},
};
use crispy_fault::{DependencyId, Fault};
use crispy_jetstream::{
    api,
    pull::{AckSubject, Pulled, Puller},
};
use crispy_proto::{
    id::Name,
    v1::{ChunkUploaded, DeadLetter, DeadLetterDecision},
};

use crate::{
    Connection, Decode, DecodeError, Message as _, Stream, header, spools::check_spool_id,
};

/// The server keeps the read position of an absent ingestor for this long. After that the ingestor
/// asks about each of its chunks.
const INACTIVE: Duration = Duration::from_secs(7 * 24 * 3600);

/// An event that was not acknowledged for this long is delivered again.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// The largest number of events in delivery or in process at once.
const BATCH: usize = 64;

/// The content of a spool event.
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and there is one at a time"
)]
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SpoolEventKind {
    /// A chunk is in the bucket.
    Uploaded(ChunkUploaded),
    /// A stage wrote a dead letter.
    DeadLetter(DeadLetter),
    /// An operator decided about a dead letter.
    Decision(DeadLetterDecision),
}

/// A spool event, delivered until it is acknowledged.
#[derive(Debug)]
#[must_use = "an event that is not acknowledged is delivered again"]
pub struct SpoolEvent {
    /// Its content.
    pub kind: SpoolEventKind,
    /// The stream's name on the server.
    pub stream: String,
    /// Its sequence in the stream.
    pub sequence: u64,
    connection: Connection,
    reply: async_nats::Subject,
}

impl SpoolEvent {
    /// Acknowledges it. If the acknowledgement is lost, the event is delivered again.
    pub async fn ack(self) {
        self.connection.respond(self.reply, "+ACK".into()).await;
    }
}

/// Receives the events of one spool, through two consumers of its own: of upload events and of dead
/// letters, both of its site only.
///
/// * Each event is delivered at least once, also those of the last 7 days in which the ingestor did
///   not run.
/// * Events of other spools of the site are delivered too: the caller filters them.
/// * It survives outages of the server, and makes its consumers again if they vanish.
#[derive(Debug)]
pub struct SpoolEvents {
    connection: Connection,
    consumer: String,
    uploaded: Puller,
    dead: Puller,
    site: Name,
}

impl SpoolEvents {
    /// Makes the consumers `spool-<spool id>`, or binds to them, and begins to pull.
    ///
    /// # Errors
    /// `Rejected` for an id that cannot be part of a consumer's name, `NotFound` for a missing
    /// stream; else the failure of a request.
    pub async fn open(connection: &Connection, spool_id: &str, site: &Name) -> Result<Self, Fault> {
        check_spool_id(spool_id)?;
        let consumer = format!("spool-{spool_id}");
        let (uploaded, dead) = tokio::try_join!(
            pull(connection, Stream::Uploaded, &consumer, site),
            pull(connection, Stream::Dead, &consumer, site),
        )?;
        Ok(Self {
            connection: connection.clone(),
            consumer,
            uploaded,
            dead,
            site: site.clone(),
        })
    }

    /// The next event. Cancel safe.
    ///
    /// # Errors
    /// `Corrupt` for one event that cannot be decoded: it is not delivered again, and the next call
    /// may follow at once. Any other failure may pass: call again after a pause.
    pub async fn next(&mut self) -> Result<SpoolEvent, Fault> {
        loop {
            self.uploaded.request(BATCH).await;
            self.dead.request(BATCH).await;
            let (pulled, stream) = tokio::select! {
                pulled = self.uploaded.next() => (pulled, Stream::Uploaded),
                pulled = self.dead.next() => (pulled, Stream::Dead),
            };
            match pulled {
                Pulled::Message(message) => return self.read(message, stream).await,
                Pulled::Expired => {}
                Pulled::Broken(_) => {
                    put_consumer(&self.connection, stream, &self.consumer, &self.site).await?;
                }
            }
        }
    }

    async fn read(&self, message: Message, stream: Stream) -> Result<SpoolEvent, Fault> {
        let facts = message.reply.as_deref().and_then(AckSubject::parse);
        let sequence = facts.map_or(0, |facts| facts.stream_sequence);
        let stream_name = stream.name(self.connection.prefix());
        let reply = message.reply.clone().unwrap_or_else(|| "".into());
        match decode(&message, stream) {
            Ok(kind) => Ok(SpoolEvent {
                kind,
                stream: stream_name,
                sequence,
                connection: self.connection.clone(),
                reply,
            }),
            Err(error) => {
                // Without the term it would be delivered for ever.
                self.connection.respond(reply, "+TERM".into()).await;
                let doing = format!("decode message {sequence} of stream {stream_name}");
                Err(Fault::corrupt(doing).with_source(error))
            }
        }
    }

    /// Counts the events that are not acknowledged, beside their reception.
    pub fn pending_events(&self) -> PendingEvents {
        PendingEvents {
            connection: self.connection.clone(),
            consumer: self.consumer.clone(),
        }
    }

    /// [`PendingEvents::count`].
    pub async fn pending(&self) -> Result<u64, Fault> {
        self.pending_events().count().await
    }
}

/// Counts the events of one spool that are not acknowledged.
#[derive(Clone, Debug)]
pub struct PendingEvents {
    connection: Connection,
    consumer: String,
}

impl PendingEvents {
    /// The number of events that are not acknowledged, delivered or not. At 0 there is nothing to
    /// wait for.
    ///
    /// # Errors
    /// The failure of a request.
    pub async fn count(&self) -> Result<u64, Fault> {
        let pending = async |stream: Stream| {
            let (name, consumer) = (stream.name(self.connection.prefix()), &self.consumer);
            let info = api::consumer_info(&self.connection, &name, consumer).await;
            let info = info.map_err(|error| {
                error.into_fault(format!("look at consumer {consumer} of stream {name}"))
            })?;
            Ok::<_, Fault>(info.num_pending + info.num_ack_pending as u64)
        };
        let (uploaded, dead) = tokio::try_join!(pending(Stream::Uploaded), pending(Stream::Dead))?;
        Ok(uploaded + dead)
    }
}

fn decode(message: &Message, stream: Stream) -> Result<SpoolEventKind, DecodeError> {
    let headers = message.headers.as_ref();
    let type_name = headers
        .and_then(|headers| headers.get(header::TYPE))
        .map(|value| value.as_str())
        .unwrap_or_default();
    let payload = &message.payload;
    match (stream, type_name) {
        (Stream::Dead, DeadLetterDecision::TYPE) => {
            <DeadLetterDecision as Decode>::decode(type_name, payload).map(SpoolEventKind::Decision)
        }
        (Stream::Dead, _) => {
            <DeadLetter as Decode>::decode(type_name, payload).map(SpoolEventKind::DeadLetter)
        }
        _ => <ChunkUploaded as Decode>::decode(type_name, payload).map(SpoolEventKind::Uploaded),
    }
}

async fn pull(
    connection: &Connection,
    stream: Stream,
    consumer: &str,
    site: &Name,
) -> Result<Puller, Fault> {
    put_consumer(connection, stream, consumer, site).await?;
    let name = stream.name(connection.prefix());
    let opened = Puller::open(connection, &name, consumer).await;
    opened.map_err(|error| {
        Fault::unavailable(DependencyId::Queue, "receive on a closed connection").with_source(error)
    })
}

/// Makes the consumer, or confirms that it has these settings: one request does both.
async fn put_consumer(
    connection: &Connection,
    stream: Stream,
    consumer: &str,
    site: &Name,
) -> Result<(), Fault> {
    let name = stream.name(connection.prefix());
    let filter_subject = match stream {
        Stream::Dead => format!("{}.dead.*.{site}.*", connection.prefix()),
        _ => format!("{}.uploaded.{site}.*", connection.prefix()),
    };
    let config = consumer::Config {
        durable_name: Some(consumer.to_owned()),
        name: Some(consumer.to_owned()),
        description: Some(format!("events of {consumer}")),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: 100_000,
        inactive_threshold: INACTIVE,
        filter_subject,
        ..consumer::Config::default()
    };
    let put = api::put_consumer(connection, &name, config).await;
    put.map(drop)
        .map_err(|error| error.into_fault(format!("pull from stream {name} as {consumer}")))
}
