//! The state of the queue, for `crispy status` and for metrics. Reads only.

use std::collections::{BTreeMap, HashMap};

use crispy_fault::{Fault, Kind};
use crispy_jetstream::api;
use crispy_proto::{id::CameraId, v1::ChunkUploaded};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Connection, Reader, Stage, StartAt, Stream, Topic, topology::present};

/// The state of all streams, consumers and cameras.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// Each stream, in the order of [`Stream::ALL`].
    pub streams: Vec<StreamState>,
    /// Each stage's consumer, in the order of [`Stage::ALL`].
    pub consumers: Vec<ConsumerState>,
    /// Number of dead letters by stage, without stages that have none.
    pub dead: BTreeMap<Stage, u64>,
    /// Time of each camera's last upload event, by the server's clock.
    pub cameras: BTreeMap<CameraId, Timestamp>,
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// The stream.
    pub stream: Stream,
    /// Its name on the server.
    pub name: String,
    /// Its usage; None where it does not exist.
    pub usage: Option<StreamUsage>,
}

/// The usage of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamUsage {
    /// Number of messages.
    pub messages: u64,
    /// Their bytes, as the server stores them.
    pub bytes: u64,
    /// Its limit in bytes; None is no limit.
    pub limit: Option<u64>,
    /// Time of storage of its oldest message; None where it is empty.
    pub oldest: Option<Timestamp>,
}

/// A stage's consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerState {
    /// The stage.
    pub stage: Stage,
    /// Its work; None where it does not exist.
    pub work: Option<Work>,
}

/// The unfinished messages of a consumer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Messages that were not delivered yet.
    pub pending: u64,
    /// Messages that were delivered and not settled, also those with a delayed nak.
    pub in_flight: u64,
    /// The limit of messages in flight; 0 is no limit.
    pub in_flight_limit: u64,
    /// Of those in flight, delivered more than once.
    pub redelivered: u64,
    /// Pull requests that wait for messages.
    pub waiting_pulls: u64,
}

impl Overview {
    /// Reads everything. Missing streams and consumers are part of the result and no error.
    pub async fn read(connection: &Connection) -> Result<Self, Fault> {
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

/// The unfinished messages of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The name, on the server, of the stage's stream.
    pub stream: String,
    /// The stream's usage; None where it does not exist.
    pub usage: Option<StreamUsage>,
    /// The work of the stage's consumer; None where it does not exist.
    pub work: Option<Work>,
    /// Number of the stage's dead letters.
    pub dead_letters: u64,
}

impl Connection {
    /// Reads the backlog of `stage`, in three short requests, cheap enough for metrics. Missing
    /// streams and consumers are part of the result and no error.
    pub async fn backlog(&self, stage: Stage) -> Result<Backlog, Fault> {
        let input = stream_state(self, stage.input()).await?;
        Ok(Backlog {
            stream: input.name,
            usage: input.usage,
            work: work(self, stage).await?,
            dead_letters: dead(self).await?.remove(&stage).unwrap_or(0),
        })
    }
}

async fn stream_state(connection: &Connection, stream: Stream) -> Result<StreamState, Fault> {
    let name = stream.name(connection.prefix());
    let info = present(
        &format!("stream {name}"),
        api::stream_info(connection, &name).await,
    )?;
    let usage = info.map(|info| StreamUsage {
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
        usage,
    })
}

async fn work(connection: &Connection, stage: Stage) -> Result<Option<Work>, Fault> {
    let stream = stage.input().name(connection.prefix());
    let target = format!("consumer {stage} of stream {stream}");
    let info = api::consumer_info(connection, &stream, stage.as_str()).await;
    Ok(present(&target, info)?.map(|info| Work {
        pending: info.num_pending,
        in_flight: info.num_ack_pending as u64,
        in_flight_limit: u64::try_from(info.config.max_ack_pending).unwrap_or(0),
        redelivered: info.num_redelivered as u64,
        waiting_pulls: info.num_waiting as u64,
    }))
}

/// Dead letters by stage, counted by the server. Operators' decisions, in the same stream, have
/// other subjects.
async fn dead(connection: &Connection) -> Result<BTreeMap<Stage, u64>, Fault> {
    #[derive(Serialize)]
    struct Request {
        subjects_filter: String,
    }
    #[derive(Deserialize)]
    struct Reply {
        state: State,
    }
    #[derive(Deserialize)]
    struct State {
        #[serde(default)]
        subjects: HashMap<String, u64>,
    }
    let name = Stream::Dead.name(connection.prefix());
    let request = Request {
        subjects_filter: format!("{}.dead.>", connection.prefix()),
    };
    let reply = api::request(connection, &format!("STREAM.INFO.{name}"), &request).await;
    let mut counts = BTreeMap::new();
    let Some(Reply { state }) = present(&format!("stream {name}"), reply)? else {
        return Ok(counts);
    };
    for (subject, count) in state.subjects {
        if let Some((Topic::Dead(stage), _)) = connection.subjects().parse(&subject) {
            *counts.entry(stage).or_default() += count;
        }
    }
    Ok(counts)
}

async fn cameras(connection: &Connection) -> Result<BTreeMap<CameraId, Timestamp>, Fault> {
    let mut cameras = BTreeMap::new();
    let all = format!("{}.uploaded.*.*", connection.prefix());
    let opened = Reader::open(
        connection,
        Stream::Uploaded,
        StartAt::LastPerSubject,
        &[&all],
    )
    .await;
    let mut reader = match opened {
        Ok(reader) => reader,
        Err(fault) if fault.is_not_found() => return Ok(cameras),
        Err(fault) => return Err(fault.context("read the cameras' last chunks")),
    };
    while !reader.is_at_end() {
        match reader.next::<ChunkUploaded>().await {
            Ok(last) => {
                if let Some((_, camera)) = connection.subjects().parse(&last.subject) {
                    cameras.insert(camera, last.published);
                }
            }
            // A foreign message under our subjects.
            Err(fault) if fault.kind() == &Kind::Corrupt => {}
            Err(fault) => return Err(fault.context("read the cameras' last chunks")),
        }
    }
    Ok(cameras)
}
