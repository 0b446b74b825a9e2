//! Doing what a plan says.

use async_nats::jetstream::{consumer, stream};
use futures_util::future::{join_all, try_join_all};

use super::{diff::Change, inspect::TopologyError, plan::Plan, streams};
use crate::{
    Connection, Stage, Stream,
    api::{self, ApiError},
};

/// What setting up did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// What was done, with the sizes that were granted.
    pub changes: Vec<Change>,
}

pub(super) async fn apply(mut plan: Plan) -> Result<Applied, TopologyError> {
    let alter = plan
        .alter
        .iter()
        .map(|config| alter(&plan.connection, config));
    try_join_all(alter).await?;
    let granted = create_all(&mut plan).await?;
    let consumers = plan
        .consumers
        .iter()
        .map(|(stage, config)| put_consumer(&plan.connection, *stage, config));
    try_join_all(consumers).await?;
    for change in &mut plan.changes {
        if let Change::CreateStream {
            stream, max_bytes, ..
        } = change
            && let Some(config) = granted.iter().find(|config| config.name == *stream)
        {
            *max_bytes = config.max_bytes;
        }
    }
    Ok(Applied {
        changes: plan.changes,
    })
}

/// Makes the missing streams at once, in sizes that the server grants.
///
/// Where it refuses one for want of room, those already made in this round are made smaller first and all is tried again: the sizes stay in
/// proportion, and no stream that held a message is ever removed.
async fn create_all(plan: &mut Plan) -> Result<Vec<stream::Config>, TopologyError> {
    let mut made: Vec<Stream> = Vec::new();
    loop {
        let sized = |stream: Stream| {
            let bytes = plan.scale.bytes(stream);
            streams::config(stream, plan.connection.prefix(), plan.replicas, bytes)
        };
        let shrunk: Vec<_> = made.iter().copied().map(sized).collect();
        try_join_all(shrunk.iter().map(|config| alter(&plan.connection, config))).await?;
        let wanted: Vec<_> = plan.create.iter().copied().map(sized).collect();
        let pending =
            |config: &&stream::Config| !shrunk.iter().any(|done| done.name == config.name);
        let creating = wanted
            .iter()
            .filter(pending)
            .map(|config| create(&plan.connection, config));
        let mut refusal = None;
        for (config, result) in wanted.iter().filter(pending).zip(join_all(creating).await) {
            match result {
                Ok(()) => made.extend(
                    plan.create
                        .iter()
                        .copied()
                        .find(|stream| stream.name(plan.connection.prefix()) == config.name),
                ),
                Err(error @ ApiError::NoStorage(_)) => refusal = Some(error),
                Err(source) => return Err(failed(format!("stream {}", config.name), source)),
            }
        }
        let Some(refusal) = refusal else {
            return Ok(wanted);
        };
        let Some(smaller) = plan.scale.smaller() else {
            return Err(TopologyError::NoRoom(refusal));
        };
        plan.scale = smaller;
    }
}

async fn create(connection: &Connection, config: &stream::Config) -> Result<(), ApiError> {
    let subject = format!("STREAM.CREATE.{}", config.name);
    let made: Result<stream::Info, _> = api::request(connection, &subject, config).await;
    made.map(|_| ())
}

async fn alter(connection: &Connection, config: &stream::Config) -> Result<(), TopologyError> {
    let subject = format!("STREAM.UPDATE.{}", config.name);
    let done: Result<stream::Info, _> = api::request(connection, &subject, config).await;
    match done {
        Ok(_) => Ok(()),
        Err(error @ ApiError::NoStorage(_)) => Err(TopologyError::NoRoom(error)),
        Err(source) => Err(failed(format!("stream {}", config.name), source)),
    }
}

async fn put_consumer(
    connection: &Connection,
    stage: Stage,
    config: &consumer::Config,
) -> Result<(), TopologyError> {
    let stream = stage.source().name(connection.prefix());
    match api::put_consumer(connection, &stream, config.clone()).await {
        Ok(_) => Ok(()),
        Err(source) => Err(failed(
            format!("consumer {stage} of stream {stream}"),
            source,
        )),
    }
}

fn failed(what: String, source: ApiError) -> TopologyError {
    TopologyError::SetUp { what, source }
}
