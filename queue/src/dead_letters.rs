//! Work that was given up, as an operator deals with it: read, sent again, or dropped.
//!
//! ```text
//!   replay   publish the original again ──► tell the spool's owner where ──► remove the letter
//!   drop                                    tell the spool's owner ────────► remove the letter
//! ```
//!
//! In that order, each step answered before the next: cut short anywhere, the letter is still there and the same command does the rest. The owner is
//! told through the letters' own stream, behind the letter, so it hears of both in order, and up to a week later if it is away. Only an uploader's
//! letter about a chunk has an owner to tell: it keeps the chunk's bytes.

use std::str::FromStr;

use async_nats::{HeaderMap, HeaderName, HeaderValue, jetstream::message::StreamMessage};
use crispy_jetstream::{
    ApiError, PublishError,
    api::{self, Which},
    header::{MESSAGE_ID, TRACEPARENT},
};
use crispy_proto::{
    id::CameraId,
    v1::{
        ChunkReady, DeadLetter, DeadRuling, Producer,
        dead_ruling::{self, Decision},
    },
};
use jiff::Timestamp;

use crate::{
    Connection, Decode, DecodeError, From, Message, Reader, ReaderError, Stage, Stream, Topic,
    header, message_id,
};

/// What travels in the dead letters' stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DeadNotice {
    /// Work was given up.
    Letter(DeadLetter),
    /// An operator decided about it.
    Ruling(DeadRuling),
}

impl Decode for DeadNotice {
    fn decode(type_name: &str, payload: &[u8]) -> Result<Self, DecodeError> {
        match type_name {
            DeadRuling::TYPE => {
                <DeadRuling as Decode>::decode(type_name, payload).map(Self::Ruling)
            }
            _ => <DeadLetter as Decode>::decode(type_name, payload).map(Self::Letter),
        }
    }
}

/// A dead letter in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Buried {
    /// Its place in the dead letters' stream.
    pub sequence: u64,
    /// Who gave up.
    pub stage: Stage,
    /// Whose work it was.
    pub camera: CameraId,
    /// When the stream stored it, by the server's clock.
    pub stored: Timestamp,
    /// What it says.
    pub letter: DeadLetter,
}

impl Buried {
    /// The chunk whose bytes wait in a spool because of it.
    pub fn kept_chunk(&self) -> Option<ChunkReady> {
        let chunk = || <ChunkReady as Decode>::decode(ChunkReady::TYPE, &self.letter.payload).ok();
        let is_chunk = |header: &&crispy_proto::v1::dead_letter::Header| {
            header.name == header::TYPE && header.value == ChunkReady::TYPE
        };
        let about_chunk = self.letter.headers.iter().find(is_chunk).is_some();
        (self.stage == Stage::Uploader && about_chunk)
            .then(chunk)
            .flatten()
    }

    /// The id of the work's trace, 32 hexadecimal digits, where one was made of it. Replayed, the work goes on in it.
    pub fn trace_id(&self) -> Option<&str> {
        trace_of(&self.letter)
    }
}

/// The id of the trace that work which was given up is part of, 32 hexadecimal digits, where one was made of it.
pub fn trace_of(letter: &DeadLetter) -> Option<&str> {
    let named = |header: &&crispy_proto::v1::dead_letter::Header| header.name == TRACEPARENT;
    let traceparent = letter.headers.iter().find(named)?;
    traceparent.value.split('-').nth(1)
}

/// Whose dead letters are looked at; None is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plot {
    /// Given up by this stage.
    pub stage: Option<Stage>,
    /// Of this site.
    pub site: Option<crispy_proto::id::Name>,
    /// Of cameras with this name.
    pub camera: Option<crispy_proto::id::Name>,
}

/// A message is in the queue again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The stream's name on the server.
    pub stream: String,
    /// Its place there.
    pub sequence: u64,
    /// The server had it already, from a replay that was repeated within the time in which it remembers ids.
    pub duplicate: bool,
}

/// The dead letters of one server.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    connection: Connection,
}

/// Dealing with dead letters failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuriedError {
    /// The stream cannot be read.
    #[error("read the dead letters")]
    Read(#[from] ReaderError),
    /// One of them cannot be looked at.
    #[error("look at dead letter {sequence}")]
    Look {
        /// Its place.
        sequence: u64,
        /// Why not.
        source: ApiError,
    },
    /// What is there is no dead letter.
    #[error("message {sequence} of the dead letters' stream is not a dead letter")]
    NotALetter {
        /// Its place.
        sequence: u64,
    },
    /// Its work came from a subject that is not ours.
    #[error(
        "dead letter {sequence} was published on {subject}, to which nothing can be sent again"
    )]
    NoWayBack {
        /// Its place.
        sequence: u64,
        /// Where its work was published.
        subject: String,
    },
    /// Its work cannot be published, or its owner not told.
    #[error("send the work of dead letter {sequence} again")]
    Publish {
        /// Its place.
        sequence: u64,
        /// Why not.
        source: PublishError,
    },
    /// It cannot be removed.
    #[error("remove dead letter {sequence}")]
    Remove {
        /// Its place.
        sequence: u64,
        /// Why not.
        source: ApiError,
    },
}

impl DeadLetters {
    /// The dead letters that `connection` reaches.
    pub fn new(connection: &Connection) -> Self {
        Self {
            connection: connection.clone(),
        }
    }

    /// Hands every letter of `plot` that is there now to `visit`, oldest first. What is in the stream and cannot be read is passed over.
    pub async fn each(
        &self,
        plot: &Plot,
        mut visit: impl FnMut(Buried),
    ) -> Result<(), BuriedError> {
        let filters = self.filters(plot);
        let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
        let mut reader =
            Reader::open(&self.connection, Stream::Dead, From::Start, &filters).await?;
        while !reader.is_at_end() {
            let received = match reader.next::<DeadLetter>().await {
                Ok(received) => received,
                Err(ReaderError::Malformed { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let topic = self.connection.subjects().parse(&received.subject);
            if let Some(Topic::Dead(stage, camera)) = topic {
                visit(Buried {
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

    /// The letter at `sequence`; None where there is none (any more).
    pub async fn get(&self, sequence: u64) -> Result<Option<Buried>, BuriedError> {
        match api::message(&self.connection, &self.stream(), &Which::At(sequence)).await {
            Ok(message) => self
                .open(sequence, &message)
                .map(Some)
                .ok_or(BuriedError::NotALetter { sequence }),
            Err(ApiError::NoMessage) => Ok(None),
            Err(source) => Err(BuriedError::Look { sequence, source }),
        }
    }

    /// Sends the letter's work again, tells the owner of its bytes, and removes the letter.
    ///
    /// Repeated, it does no harm: what is handled twice finds its effects there. The server may notice, and then says so.
    pub async fn replay(&self, buried: &Buried, by: &Producer) -> Result<Replayed, BuriedError> {
        let Buried {
            sequence, letter, ..
        } = buried;
        let subjects = self.connection.subjects();
        let no_way_back = || BuriedError::NoWayBack {
            sequence: *sequence,
            subject: letter.subject.clone(),
        };
        let stream = match subjects.parse(&letter.subject) {
            Some(Topic::Chunks(_) | Topic::Runs(_)) => Stream::Chunks,
            Some(Topic::Uploaded(_)) => Stream::Uploaded,
            _ => return Err(no_way_back()),
        };
        let failed = |source| BuriedError::Publish {
            sequence: *sequence,
            source,
        };
        let id = message_id::replay(*sequence);
        let headers = headers_again(letter, &id);
        let publisher = self.connection.publisher().await;
        let payload = letter.payload.clone().into();
        let published = publisher
            .send(&letter.subject, stream, headers, payload)
            .await
            .map_err(failed)?;
        let decision = Decision::Replayed(dead_ruling::Replayed {
            message_id: id,
            stream_sequence: published.sequence,
        });
        let ruling_id = message_id::replayed(*sequence, published.sequence);
        self.rule(buried, &ruling_id, decision, by).await?;
        self.remove(*sequence).await?;
        Ok(Replayed {
            stream: published.stream,
            sequence: published.sequence,
            duplicate: published.duplicate,
        })
    }

    /// Tells the owner of the letter's bytes that they may go, and removes the letter. False where somebody else had removed it.
    pub async fn drop(&self, buried: &Buried, by: &Producer) -> Result<bool, BuriedError> {
        let decision = Decision::Dropped(dead_ruling::Dropped {});
        let id = message_id::dropped(buried.sequence);
        self.rule(buried, &id, decision, by).await?;
        self.remove(buried.sequence).await
    }

    async fn rule(
        &self,
        buried: &Buried,
        id: &str,
        decision: Decision,
        by: &Producer,
    ) -> Result<(), BuriedError> {
        let Some(chunk) = buried.kept_chunk() else {
            return Ok(());
        };
        let ruling = DeadRuling {
            dead_sequence: buried.sequence,
            chunk: chunk.id,
            spool_id: chunk.spool_id,
            committed_us: chunk.committed_us,
            ruled_us: Timestamp::now().as_microsecond(),
            producer: Some(by.clone()),
            decision: Some(decision),
        };
        let subject = self.connection.subjects().decisions(&buried.camera);
        let publisher = self.connection.publisher().await;
        match publisher.publish(subject, id, &ruling).await {
            Ok(_) => Ok(()),
            Err(source) => Err(BuriedError::Publish {
                sequence: buried.sequence,
                source,
            }),
        }
    }

    async fn remove(&self, sequence: u64) -> Result<bool, BuriedError> {
        let removed = api::delete_message(&self.connection, &self.stream(), sequence).await;
        removed.map_err(|source| BuriedError::Remove { sequence, source })
    }

    fn open(&self, sequence: u64, message: &StreamMessage) -> Option<Buried> {
        let Some(Topic::Dead(stage, camera)) = self.connection.subjects().parse(&message.subject)
        else {
            return None;
        };
        Some(Buried {
            sequence,
            stage,
            camera,
            stored: Timestamp::from_nanosecond(message.time.unix_timestamp_nanos()).ok()?,
            letter: <DeadLetter as prost::Message>::decode(message.payload.clone()).ok()?,
        })
    }

    /// One for each stage: operators' rulings have a place of their own beside them.
    fn filters(&self, plot: &Plot) -> Vec<String> {
        let any = |name: &Option<crispy_proto::id::Name>| {
            name.as_ref()
                .map_or_else(|| "*".to_owned(), ToString::to_string)
        };
        let (prefix, site, camera) = (self.connection.prefix(), any(&plot.site), any(&plot.camera));
        Stage::ALL
            .into_iter()
            .filter(|stage| plot.stage.is_none_or(|wanted| wanted == *stage))
            .map(|stage| format!("{prefix}.dead.{stage}.{site}.{camera}"))
            .collect()
    }

    fn stream(&self) -> String {
        Stream::Dead.name(self.connection.prefix())
    }
}

/// The headers that the work had, under an id that says that it is a replay. What the server's own headers asked of the first publishing does not
/// hold for this one.
fn headers_again(letter: &DeadLetter, id: &str) -> HeaderMap {
    let mut map = HeaderMap::new();
    let own = |name: &str| name.starts_with("Nats-");
    for header in letter.headers.iter().filter(|header| !own(&header.name)) {
        // They were legal when they came, and would be left out were they not.
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
