//! Dead letters for operators: list, replay, drop.
//!
//! ```text
//!   replay   publish the original ─► decision for the spool's owner ─► remove the dead letter
//!   drop                             decision for the spool's owner ─► remove the dead letter
//! ```
//!
//! In this order, each step confirmed before the next. After an interruption the dead letter still
//! exists, and the same command completes the rest. The decision travels in the stream of the dead
//! letters, after the dead letter, so that the spool's owner receives both in order, for up to a
//! week. Only an uploader's dead letter about a chunk has an owner to inform: it keeps the chunk's
//! bytes.

use std::str::FromStr;

use async_nats::{HeaderMap, HeaderName, HeaderValue, jetstream::message::StreamMessage};
use crispy_fault::{Fault, Kind};
use crispy_jetstream::{
    ApiError,
    api::{self, MessageSelector},
    header::{MESSAGE_ID, TRACEPARENT},
};
use crispy_proto::{
    id::{CameraId, Name},
    v1::{
        ChunkReady, DeadLetter, DeadLetterDecision, Producer,
        dead_letter::Header,
        dead_letter_decision::{self, Decision},
    },
};
use jiff::Timestamp;

use crate::{
    Connection, Decode, Message, Reader, Stage, StartAt, Stream, Topic, header, message_id,
};

/// A dead letter in its stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDeadLetter {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// The stage that wrote it.
    pub stage: Stage,
    /// The camera of the original message.
    pub camera: CameraId,
    /// Time of storage, by the server's clock.
    pub stored: Timestamp,
    /// Its content.
    pub letter: DeadLetter,
}

impl StoredDeadLetter {
    /// The chunk that a spool keeps because of it.
    pub fn kept_chunk(&self) -> Option<ChunkReady> {
        let is_chunk =
            |header: &Header| header.name == header::TYPE && header.value == ChunkReady::TYPE;
        if self.stage != Stage::Uploader || !self.letter.headers.iter().any(is_chunk) {
            return None;
        }
        <ChunkReady as Decode>::decode(ChunkReady::TYPE, &self.letter.payload).ok()
    }

    /// As [`trace_id`]. A replay continues that trace.
    pub fn trace_id(&self) -> Option<&str> {
        trace_id(&self.letter)
    }
}

/// The id of the original message's trace, 32 hexadecimal digits, where it has one.
pub fn trace_id(letter: &DeadLetter) -> Option<&str> {
    let is_traceparent = |header: &&Header| header.name == TRACEPARENT;
    let traceparent = letter.headers.iter().find(is_traceparent)?;
    traceparent.value.split('-').nth(1)
}

/// Selects dead letters; a field of None selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetterFilter {
    /// Written by this stage.
    pub stage: Option<Stage>,
    /// Of this site.
    pub site: Option<Name>,
    /// Of cameras with this name.
    pub camera: Option<Name>,
}

/// The result of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The stream's name on the server.
    pub stream: String,
    /// The message's sequence there.
    pub sequence: u64,
    /// An earlier replay, within the server's duplicate window, had stored the message already.
    pub duplicate: bool,
}

/// The dead letters of a server.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    connection: Connection,
}

impl DeadLetters {
    /// The dead letters that `connection` reaches.
    pub fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
        }
    }

    /// Calls `visit` for every present dead letter of `filter`, oldest first, and skips messages
    /// that cannot be decoded.
    pub async fn each(
        &self,
        filter: &DeadLetterFilter,
        mut visit: impl FnMut(StoredDeadLetter),
    ) -> Result<(), Fault> {
        let filters = self.subjects(filter);
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        let mut reader =
            Reader::open(&self.connection, Stream::Dead, StartAt::Oldest, &filters).await?;
        while !reader.is_at_end() {
            let received = match reader.next::<DeadLetter>().await {
                Ok(received) => received,
                Err(fault) if fault.kind() == &Kind::Corrupt => continue,
                Err(fault) => return Err(fault),
            };
            let topic = self.connection.subjects().parse(&received.subject);
            if let Some((Topic::Dead(stage), camera)) = topic {
                visit(StoredDeadLetter {
                    sequence: received.sequence,
                    stage,
                    camera,
                    stored: received.published,
                    letter: received.message,
                });
            }
        }
        Ok(())
    }

    /// The dead letter at `sequence`; None where there is none (any more).
    ///
    /// # Errors
    /// `Corrupt` for a message that is not a dead letter; else the failure of the request.
    pub async fn get(&self, sequence: u64) -> Result<Option<StoredDeadLetter>, Fault> {
        let selector = MessageSelector::Sequence(sequence);
        match api::message(&self.connection, &self.stream(), &selector).await {
            Ok(message) => match self.read(sequence, &message) {
                Some(stored) => Ok(Some(stored)),
                None => {
                    let stream = self.stream();
                    let what =
                        format!("message {sequence} of stream {stream} is not a dead letter");
                    Err(Fault::corrupt(what))
                }
            },
            Err(ApiError::NoMessage) => Ok(None),
            Err(error) => Err(error.into_fault(format!("read dead letter {sequence}"))),
        }
    }

    /// Publishes the original message again, informs the owner of its bytes, and removes the dead
    /// letter.
    ///
    /// Repeating it does no harm: the handlers find their effects done. The server may recognise
    /// the duplicate, and then the result says so.
    ///
    /// # Errors
    /// `Rejected` for an original from a foreign subject; else the failure of a request.
    pub async fn replay(
        &self,
        stored: &StoredDeadLetter,
        by: &Producer,
    ) -> Result<Replayed, Fault> {
        let StoredDeadLetter {
            sequence, letter, ..
        } = stored;
        let stream = match self.connection.subjects().parse(&letter.subject) {
            Some((Topic::Chunks | Topic::Runs, _)) => Stream::Chunks,
            Some((Topic::Uploaded, _)) => Stream::Uploaded,
            _ => {
                let subject = &letter.subject;
                return Err(Fault::rejected(format!(
                    "dead letter {sequence} was published on {subject}, which cannot be published \
                     to again"
                )));
            }
        };
        let id = message_id::replay(*sequence);
        let headers = replay_headers(letter, &id);
        let publisher = self.connection.publisher().await;
        let payload = letter.payload.clone().into();
        let published = publisher
            .send(&letter.subject, stream, headers, payload)
            .await
            .map_err(|error| publish_failed(*sequence, error))?;
        let decision = Decision::Replayed(dead_letter_decision::Replayed {
            message_id: id,
            stream_sequence: published.sequence,
        });
        let decision_id = message_id::replayed(*sequence, published.sequence);
        self.decide(stored, &decision_id, decision, by).await?;
        self.remove(*sequence).await?;
        Ok(Replayed {
            stream: published.stream,
            sequence: published.sequence,
            duplicate: published.duplicate,
        })
    }

    /// Allows the owner of the bytes to delete them, and removes the dead letter. False where it
    /// was removed already.
    pub async fn drop(&self, stored: &StoredDeadLetter, by: &Producer) -> Result<bool, Fault> {
        let decision = Decision::Dropped(dead_letter_decision::Dropped {});
        let id = message_id::dropped(stored.sequence);
        self.decide(stored, &id, decision, by).await?;
        self.remove(stored.sequence).await
    }

    /// Publishes the decision, where a spool keeps a chunk.
    async fn decide(
        &self,
        stored: &StoredDeadLetter,
        id: &str,
        decision: Decision,
        by: &Producer,
    ) -> Result<(), Fault> {
        let Some(chunk) = stored.kept_chunk() else {
            return Ok(());
        };
        let decision = DeadLetterDecision {
            dead_sequence: stored.sequence,
            chunk: chunk.id,
            spool_id: chunk.spool_id,
            committed_us: chunk.committed_us,
            ruled_us: Timestamp::now().as_microsecond(),
            producer: Some(by.clone()),
            decision: Some(decision),
        };
        let subject = self.connection.subjects().decisions(&stored.camera);
        let publisher = self.connection.publisher().await;
        let published = publisher.publish(subject, id, &decision).await;
        published
            .map(drop)
            .map_err(|error| publish_failed(stored.sequence, error))
    }

    async fn remove(&self, sequence: u64) -> Result<bool, Fault> {
        let removed = api::delete_message(&self.connection, &self.stream(), sequence).await;
        removed.map_err(|error| error.into_fault(format!("remove dead letter {sequence}")))
    }

    fn read(&self, sequence: u64, message: &StreamMessage) -> Option<StoredDeadLetter> {
        let parsed = self.connection.subjects().parse(&message.subject);
        let Some((Topic::Dead(stage), camera)) = parsed else {
            return None;
        };
        Some(StoredDeadLetter {
            sequence,
            stage,
            camera,
            stored: Timestamp::from_nanosecond(message.time.unix_timestamp_nanos()).ok()?,
            letter: <DeadLetter as prost::Message>::decode(message.payload.clone()).ok()?,
        })
    }

    /// One for each stage, without the subjects of decisions.
    fn subjects(&self, filter: &DeadLetterFilter) -> Vec<String> {
        let token = |name: &Option<Name>| name.as_ref().map_or("*", Name::as_str).to_owned();
        let (site, camera) = (token(&filter.site), token(&filter.camera));
        let prefix = self.connection.prefix();
        Stage::ALL
            .into_iter()
            .filter(|stage| filter.stage.is_none_or(|selected| selected == *stage))
            .map(|stage| format!("{prefix}.dead.{stage}.{site}.{camera}"))
            .collect()
    }

    fn stream(&self) -> String {
        Stream::Dead.name(self.connection.prefix())
    }
}

fn publish_failed(sequence: u64, error: crispy_jetstream::PublishError) -> Fault {
    Fault::transient(format!("publish for dead letter {sequence}")).with_source(error)
}

/// The original's headers, with the id of the replay. The server's own headers (`Nats-…`) applied
/// to the first publish only.
fn replay_headers(letter: &DeadLetter, id: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    let is_servers = |header: &&Header| header.name.starts_with("Nats-");
    for header in letter.headers.iter().filter(|header| !is_servers(header)) {
        // They came from a valid message; invalid ones are left out.
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_str(&header.name),
            HeaderValue::from_str(&header.value),
        ) {
            map.append(name, value);
        }
    }
    map.insert(MESSAGE_ID, id);
    map
}
