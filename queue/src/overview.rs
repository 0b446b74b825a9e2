//! How the queue stands: what `crispy status` shows. Read, and nothing changed.

use std::collections::{BTreeMap, HashMap};

use crispy_jetstream::{ApiError, api};
use crispy_proto::{id::CameraId, v1::ChunkUploaded};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Connection, From, Reader, ReaderError, Stage, Stream, Topic};

/// Everything at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// Each stream, in the order of [`Stream::ALL`].
    pub streams: Vec<StreamState>,
    /// Each stage's durable, in the order of [`Stage::ALL`].
    pub consumers: Vec<ConsumerState>,
    /// Dead letters by the stage that gave up; stages without any are not there.
    pub dead: BTreeMap<Stage, u64>,
    /// When each camera's last chunk was announced as uploaded, by the server's clock.
    pub cameras: BTreeMap<CameraId, Timestamp>,
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Which one.
    pub stream: Stream,
    /// Its name on the server.
    pub name: String,
    /// What it holds; None where it does not exist.
    pub holds: Option<Holds>,
}

/// What a stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holds {
    /// Messages.
    pub messages: u64,
    /// Bytes of them, as the server stores them.
    pub bytes: u64,
    /// Bytes that it may hold; None is no limit.
    pub limit: Option<u64>,
    /// When the oldest was stored; None where it is empty.
    pub oldest: Option<Timestamp>,
}

/// A stage's durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerState {
    /// Whose.
    pub stage: Stage,
    /// Its work; None where it does not exist.
    pub work: Option<Work>,
}

/// How a durable's work stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Messages that nobody has taken yet.
    pub pending: u64,
    /// Messages that somebody holds, or that were handed back with a pause.
    pub in_flight: u64,
    /// Messages at once in flight at most; 0 is no limit.
    pub in_flight_limit: u64,
    /// Of those in flight, delivered more than once.
    pub redelivered: u64,
    /// Requests for work that wait for some.
    pub waiting_pulls: u64,
}

/// Looking failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OverviewError {
    /// A stream or consumer cannot be looked at.
    #[error("look at {what}")]
    Look {
        /// What was looked at.
        what: String,
        /// Why not.
        source: ApiError,
    },
    /// The cameras' last chunks cannot be read.
    #[error("read the cameras' last chunks")]
    Cameras(#[source] ReaderError),
}

impl Overview {
    /// Looks at everything. What does not exist is part of the answer and no error.
    pub async fn look(connection: &Connection) -> Result<Self, OverviewError> {
        let mut overview = Self::default();
        for stream in Stream::ALL {
            overview
                .streams
                .push(stream_state(connection, stream).await?);
        }
        for stage in Stage::ALL {
            let work = work(connection, stage).await?;
            overview.consumers.push(ConsumerState { stage, work });
        }
        overview.dead = dead(connection).await?;
        overview.cameras = cameras(connection).await?;
        Ok(overview)
    }
}

pub(crate) async fn stream_state(
    connection: &Connection,
    stream: Stream,
) -> Result<StreamState, OverviewError> {
    let name = stream.name(connection.prefix());
    let info = there(&name, api::stream_info(connection, &name).await)?;
    let holds = info.map(|info| Holds {
        messages: info.state.messages,
        bytes: info.state.bytes,
        limit: u64::try_from(info.config.max_bytes).ok(),
        oldest: (info.state.messages > 0)
            .then(|| info.state.first_timestamp.unix_timestamp_nanos())
            .and_then(|nanos| Timestamp::from_nanosecond(nanos).ok()),
    });
    Ok(StreamState {
        stream,
        name,
        holds,
    })
}

pub(crate) async fn work(
    connection: &Connection,
    stage: Stage,
) -> Result<Option<Work>, OverviewError> {
    let stream = stage.source().name(connection.prefix());
    let what = format!("consumer {stage} of stream {stream}");
    let info = api::consumer_info(connection, &stream, stage.as_str()).await;
    Ok(there(&what, info)?.map(|info| Work {
        pending: info.num_pending,
        in_flight: info.num_ack_pending as u64,
        in_flight_limit: u64::try_from(info.config.max_ack_pending).unwrap_or(0),
        redelivered: info.num_redelivered as u64,
        waiting_pulls: info.num_waiting as u64,
    }))
}

/// Letters by stage, counted by the server: operators' rulings, in the same stream, have a place of their own.
pub(crate) async fn dead(connection: &Connection) -> Result<BTreeMap<Stage, u64>, OverviewError> {
    #[derive(Serialize)]
    struct Question {
        subjects_filter: String,
    }
    #[derive(Deserialize)]
    struct Answer {
        state: State,
    }
    #[derive(Deserialize)]
    struct State {
        #[serde(default)]
        subjects: HashMap<String, u64>,
    }
    let name = Stream::Dead.name(connection.prefix());
    let question = Question {
        subjects_filter: format!("{}.dead.>", connection.prefix()),
    };
    let answer = api::request(connection, &format!("STREAM.INFO.{name}"), &question).await;
    let mut letters = BTreeMap::new();
    let Some(Answer { state }) = there(&name, answer)? else {
        return Ok(letters);
    };
    for (subject, count) in state.subjects {
        if let Some(Topic::Dead(stage, _)) = connection.subjects().parse(&subject) {
            *letters.entry(stage).or_default() += count;
        }
    }
    Ok(letters)
}

async fn cameras(connection: &Connection) -> Result<BTreeMap<CameraId, Timestamp>, OverviewError> {
    let mut cameras = BTreeMap::new();
    let all = format!("{}.uploaded.*.*", connection.prefix());
    let opened = Reader::open(connection, Stream::Uploaded, From::LastOfEach, &[&all]).await;
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(ReaderError::MissingStream { .. }) => return Ok(cameras),
        Err(error) => return Err(OverviewError::Cameras(error)),
    };
    while !reader.is_at_end() {
        match reader.next::<ChunkUploaded>().await {
            Ok(last) => {
                if let Some(topic) = connection.subjects().parse(&last.subject) {
                    cameras.insert(topic.camera().clone(), last.published);
                }
            }
            // Somebody's word under our subjects says nothing of a camera.
            Err(ReaderError::Malformed { .. }) => {}
            Err(error) => return Err(OverviewError::Cameras(error)),
        }
    }
    Ok(cameras)
}

fn there<T>(what: &str, looked: Result<T, ApiError>) -> Result<Option<T>, OverviewError> {
    match looked {
        Ok(info) => Ok(Some(info)),
        Err(ApiError::NoStream | ApiError::NoConsumer) => Ok(None),
        Err(source) => Err(OverviewError::Look {
            what: what.to_owned(),
            source,
        }),
    }
}
