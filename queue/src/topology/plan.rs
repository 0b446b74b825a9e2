//! The plan: the steps from the present streams and consumers to ours.

use async_nats::jetstream::{account::Account, consumer, stream};
use crispy_fault::Fault;

use super::{
    diff::{self, Change},
    inspect::{Present, inspect},
    settings::{self, stage_consumer},
    sizes::Scale,
};
use crate::{Connection, Stage, Stream};

/// The steps of setting up: decided, not done.
///
/// * Planning changes nothing on the server.
/// * Applying makes the changes of [`Plan::changes`]. Streams become smaller where the server has
///   less room than it reports, and changes that another process makes meanwhile are planned again.
#[derive(Debug)]
pub struct Plan {
    pub(super) connection: Connection,
    pub(super) request: Request,
    pub(super) scale: Scale,
    pub(super) steps: Vec<Step>,
}

/// The arguments of [`plan`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    replicas: Option<u8>,
    force: bool,
}

/// One request to the server, and the changes that it makes.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) changes: Vec<Change>,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Create(Stream, stream::Config),
    Alter(stream::Config),
    Put(Stage, consumer::Config),
}

/// Reads the server's present state and decides on the steps.
///
/// `replicas` is 1, 3 or 5; None keeps the present number and makes new streams with one. `force`
/// sets limits that an operator has tuned back to ours.
///
/// # Errors
/// `Rejected` for another number of replicas; else the failure of a request.
pub async fn plan(
    connection: &Connection,
    replicas: Option<u8>,
    force: bool,
) -> Result<Plan, Fault> {
    if let Some(wrong) = replicas.filter(|replicas| ![1, 3, 5].contains(replicas)) {
        let message = format!("{wrong} replicas are not possible");
        return Err(Fault::rejected(message)
            .with_hint("use 1, 3 or 5, and no more than the cluster has servers"));
    }
    plan_within(connection, Request { replicas, force }, None, &[]).await
}

/// As [`plan`], with sizes of this scale. The streams in `made` were made for this request and may
/// be made smaller.
pub(super) async fn plan_within(
    connection: &Connection,
    request: Request,
    scale: Option<Scale>,
    made: &[Stream],
) -> Result<Plan, Fault> {
    let present = inspect(connection).await?;
    let copies = request.replicas.unwrap_or_else(|| most_replicas(&present));
    let is_sized = |(stream, info): &(Stream, Option<stream::Info>)| {
        request.force || info.is_none() || made.contains(stream)
    };
    let sized = present.streams.iter().filter(|entry| is_sized(entry));
    let sized: Vec<Stream> = sized.map(|(stream, _)| *stream).collect();
    let free = free_room(&present, &sized, copies);
    let mut plan = Plan {
        connection: connection.clone(),
        request,
        scale: scale.unwrap_or_else(|| Scale::fitting(&sized, copies, free)),
        steps: Vec::new(),
    };
    for (stream, info) in present.streams {
        let step = plan.stream_step(stream, info, copies, made.contains(&stream));
        plan.steps.extend(step);
    }
    // Limits that become smaller make room for new streams.
    plan.steps
        .sort_by_key(|step| matches!(step.action, Action::Create(..)));
    for (stage, info) in present.consumers {
        let step = plan.consumer_step(stage, info);
        plan.steps.extend(step);
    }
    Ok(plan)
}

impl Plan {
    /// The changes, in order; empty where there is nothing to do.
    pub fn changes(&self) -> Vec<Change> {
        let steps = self.steps.iter();
        steps.flat_map(|step| step.changes.clone()).collect()
    }

    fn stream_step(
        &self,
        stream: Stream,
        info: Option<stream::Info>,
        replicas: u8,
        made: bool,
    ) -> Option<Step> {
        let bytes = self.scale.bytes(stream);
        let mut wanted = settings::config(stream, self.connection.prefix(), replicas, bytes);
        let Some(info) = info else {
            let change = Change::CreateStream {
                stream: wanted.name.clone(),
                replicas: wanted.num_replicas,
                max_bytes: wanted.max_bytes,
            };
            return Some(Step {
                changes: vec![change],
                action: Action::Create(stream, wanted),
            });
        };
        let mut config = info.config;
        if made {
            // Another process may have made it smaller already.
            return (wanted.max_bytes < config.max_bytes).then(|| {
                config.max_bytes = wanted.max_bytes;
                Step {
                    changes: Vec::new(),
                    action: Action::Alter(config),
                }
            });
        }
        if self.request.replicas.is_none() {
            wanted.num_replicas = config.num_replicas;
        }
        let changes = diff::align_stream(&mut config, &wanted, self.request.force);
        (!changes.is_empty()).then_some(Step {
            changes,
            action: Action::Alter(config),
        })
    }

    fn consumer_step(&self, stage: Stage, info: Option<consumer::Info>) -> Option<Step> {
        let wanted = stage_consumer(stage);
        let stream = stage.input().name(self.connection.prefix());
        let (changes, config) = match info {
            None => {
                let consumer = stage.to_string();
                let change = Change::CreateConsumer { stream, consumer };
                (vec![change], wanted)
            }
            Some(info) => {
                let mut config = info.config;
                let target = format!("consumer {stage} of stream {stream}");
                let force = self.request.force;
                let changes = diff::align_consumer(&target, &mut config, &wanted, force);
                (changes, config)
            }
        };
        (!changes.is_empty()).then_some(Step {
            changes,
            action: Action::Put(stage, config),
        })
    }
}

/// The largest number of replicas among the present streams; 1 without any.
fn most_replicas(present: &Present) -> u8 {
    let infos = present.streams.iter().filter_map(|(_, info)| info.as_ref());
    let most = infos.map(|info| info.config.num_replicas).max();
    most.and_then(|most| u8::try_from(most).ok()).unwrap_or(1)
}

/// Bytes that the account may still reserve for `sized`, where the account has a limit. The present
/// reservations of those streams count as free.
fn free_room(present: &Present, sized: &[Stream], replicas: u8) -> Option<i64> {
    let account: &Account = &present.account;
    let (limits, reserved) = match account.tiers.get(&format!("R{replicas}")) {
        Some(tier) => (&tier.limits, tier.reserved_storage),
        None => (&account.limits, account.reserved_storage),
    };
    let limit = limits.max_storage?;
    let ours: i64 = present
        .streams
        .iter()
        .filter(|(stream, _)| sized.contains(stream))
        .filter_map(|(_, info)| info.as_ref())
        .map(|info| info.config.max_bytes.max(0))
        .sum();
    Some(limit - i64::try_from(reserved).unwrap_or(i64::MAX) + ours)
}
