//! Doing what a plan says.

use async_nats::jetstream::{consumer, stream};
use futures_util::future::try_join_all;

use super::{
    diff::Change,
    inspect::TopologyError,
    plan::{Plan, plan_within},
    streams,
};
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

/// How often somebody else may be in the way, setting up as well, before that is an error. Whoever comes second finds all of it done.
const ROUNDS: u32 = 4;

/// What one round did.
struct Round {
    changes: Vec<Change>,
    /// The last stream that somebody else made meanwhile, in another size: there may be more to do than was planned.
    overtaken: Option<TopologyError>,
}

pub(super) async fn apply(mut next: Plan) -> Result<Applied, TopologyError> {
    let mut changes = Vec::new();
    let mut rounds = 1;
    loop {
        let (connection, asked, scale) = (next.connection.clone(), next.asked, next.scale);
        let round = match apply_once(next).await {
            // Forced back to sizes that this server has no room for: as when they were made, the next smaller ones are tried.
            Err(TopologyError::NoRoom(refusal)) if asked.force => {
                let smaller = scale.smaller().ok_or(TopologyError::NoRoom(refusal))?;
                next = plan_within(&connection, asked, Some(smaller)).await?;
                continue;
            }
            round => round?,
        };
        changes.extend(round.changes);
        match round.overtaken {
            None => return Ok(Applied { changes }),
            Some(error) if rounds == ROUNDS => return Err(error),
            Some(_) => {}
        }
        rounds += 1;
        next = plan_within(&connection, asked, None).await?;
    }
}

async fn apply_once(mut plan: Plan) -> Result<Round, TopologyError> {
    // One after another: after a refusal none of them may still be on its way.
    for config in &plan.alter {
        alter(&plan.connection, config).await?;
    }
    let (granted, overtaken) = create_all(&mut plan).await?;
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
    Ok(Round {
        changes: plan.changes,
        overtaken,
    })
}

/// Makes the missing streams at once, in sizes that the server grants.
///
/// Where it refuses one for want of room, those already made in this round are made smaller first and all is tried again: the sizes stay in
/// proportion, and no stream that held a message is ever removed. A stream that somebody else has made meanwhile is theirs: it leaves the plan.
async fn create_all(
    plan: &mut Plan,
) -> Result<(Vec<stream::Config>, Option<TopologyError>), TopologyError> {
    let mut made: Vec<Stream> = Vec::new();
    let mut overtaken = None;
    loop {
        let sized = |stream: Stream| {
            let bytes = plan.scale.bytes(stream);
            streams::config(stream, plan.connection.prefix(), plan.replicas, bytes)
        };
        let shrunk: Vec<_> = made.iter().copied().map(sized).collect();
        let shrinking = shrunk.iter().map(|config| alter(&plan.connection, config));
        match try_join_all(shrinking).await {
            // Somebody else has made them smaller still meanwhile, and this would be larger again.
            Err(TopologyError::NoRoom(refusal)) => {
                plan.shrink(refusal)?;
                continue;
            }
            shrunk => shrunk?,
        };
        let wanted: Vec<_> = plan.create.iter().copied().map(sized).collect();
        let pending =
            |config: &&stream::Config| !shrunk.iter().any(|done| done.name == config.name);
        let missing: Vec<_> = wanted.iter().filter(pending).collect();
        // One after another: of several at once that do not fit together, a busy server was seen to keep what it had reserved for those it
        // refused, and then there is no room for anything.
        let mut results = Vec::with_capacity(missing.len());
        for config in &missing {
            results.push(create(&plan.connection, config).await);
        }
        let (mut refusal, mut taken) = (None, Vec::new());
        for (config, result) in missing.into_iter().zip(results) {
            match result {
                Ok(()) => made.extend(
                    plan.create
                        .iter()
                        .copied()
                        .find(|stream| stream.name(plan.connection.prefix()) == config.name),
                ),
                Err(error @ ApiError::NoStorage(_)) => refusal = Some(error),
                Err(source) if source.is_name_taken() => {
                    overtaken = Some(failed(format!("stream {}", config.name), source));
                    taken.push(config.name.clone());
                }
                Err(source) => return Err(failed(format!("stream {}", config.name), source)),
            }
        }
        plan.leave_out(&taken);
        let Some(refusal) = refusal else {
            return Ok((wanted, overtaken));
        };
        plan.shrink(refusal)?;
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
