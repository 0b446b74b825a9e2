//! What is to be done.

use async_nats::jetstream::{account::Account, consumer, stream};

use super::{
    apply::{Applied, apply},
    diff::{self, Change},
    inspect::{Found, TopologyError, look},
    sizes::Scale,
    stage_consumer, streams,
};
use crate::{Connection, Stage, Stream, api::ApiError};

/// What setting up would do: decided, not done.
///
/// Planning changes nothing on the server. Applying does what [`Plan::changes`] says, except that streams are made smaller where the server
/// turns out to have less room than it tells, and that what somebody else sets up meanwhile is looked at anew.
#[derive(Debug)]
pub struct Plan {
    pub(super) connection: Connection,
    pub(super) changes: Vec<Change>,
    pub(super) create: Vec<Stream>,
    pub(super) alter: Vec<stream::Config>,
    pub(super) consumers: Vec<(Stage, consumer::Config)>,
    pub(super) replicas: u8,
    pub(super) asked: Asked,
    pub(super) scale: Scale,
}

/// What [`plan`] was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) replicas: Option<u8>,
    pub(super) force: bool,
}

/// Looks at the server and decides what setting up would do.
///
/// `replicas` is 1, 3 or 5; None keeps what is there, and makes new streams with one. `force` sets limits that an operator has tuned back to
/// ours.
pub async fn plan(
    connection: &Connection,
    replicas: Option<u8>,
    force: bool,
) -> Result<Plan, TopologyError> {
    if let Some(wrong) = replicas.filter(|replicas| ![1, 3, 5].contains(replicas)) {
        return Err(TopologyError::Replicas(wrong));
    }
    plan_within(connection, Asked { replicas, force }, None).await
}

/// As [`plan`], with sizes of this scale at most.
pub(super) async fn plan_within(
    connection: &Connection,
    asked: Asked,
    scale: Option<Scale>,
) -> Result<Plan, TopologyError> {
    let Asked { replicas, force } = asked;
    let found = look(connection).await?;
    let copies = replicas.unwrap_or_else(|| common_replicas(&found));
    let missing: Vec<Stream> = found
        .streams
        .iter()
        .filter(|(_, info)| info.is_none())
        .map(|(stream, _)| *stream)
        .collect();
    let sized: &[Stream] = if force { &Stream::ALL } else { &missing };
    let free = free_room(&found.account, &found, sized, copies);
    let mut plan = Plan {
        connection: connection.clone(),
        changes: Vec::new(),
        scale: scale.unwrap_or_else(|| Scale::fitting(sized, copies, free)),
        create: missing,
        alter: Vec::new(),
        consumers: Vec::new(),
        replicas: copies,
        asked,
    };
    plan.streams(&found, replicas, force);
    plan.consumers(&found, force);
    Ok(plan)
}

impl Plan {
    /// What would be done, in order; empty when all is as it should be.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Does it.
    pub async fn apply(self) -> Result<Applied, TopologyError> {
        apply(self).await
    }

    /// Wants less, after a refusal for want of room.
    pub(super) fn shrink(&mut self, refusal: ApiError) -> Result<(), TopologyError> {
        let smaller = self.scale.smaller();
        self.scale = smaller.ok_or(TopologyError::NoRoom(refusal))?;
        Ok(())
    }

    /// Takes streams that are there by now out of what is to be made.
    pub(super) fn leave_out(&mut self, taken: &[String]) {
        let prefix = self.connection.prefix();
        self.create
            .retain(|stream| !taken.contains(&stream.name(prefix)));
        self.changes.retain(
            |change| !matches!(change, Change::CreateStream { stream, .. } if taken.contains(stream)),
        );
    }

    fn streams(&mut self, found: &Found, replicas: Option<u8>, force: bool) {
        let prefix = self.connection.prefix().clone();
        for (stream, info) in &found.streams {
            let mut wanted =
                streams::config(*stream, &prefix, self.replicas, self.scale.bytes(*stream));
            let Some(info) = info else {
                self.changes.push(Change::CreateStream {
                    stream: wanted.name,
                    replicas: wanted.num_replicas,
                    max_bytes: wanted.max_bytes,
                });
                continue;
            };
            let mut config = info.config.clone();
            if replicas.is_none() {
                wanted.num_replicas = config.num_replicas;
            }
            let differences = diff::align_stream(&mut config, &wanted, force);
            if !differences.is_empty() {
                self.alter.push(config);
            }
            let alter = |(setting, from, to)| Change::AlterStream {
                stream: wanted.name.clone(),
                setting,
                from,
                to,
            };
            self.changes.extend(differences.into_iter().map(alter));
        }
    }

    fn consumers(&mut self, found: &Found, force: bool) {
        for (stage, info) in &found.consumers {
            let wanted = stage_consumer(*stage);
            let stream = stage.source().name(self.connection.prefix());
            let Some(info) = info else {
                self.changes.push(Change::CreateConsumer {
                    stream,
                    consumer: stage.to_string(),
                });
                self.consumers.push((*stage, wanted));
                continue;
            };
            let mut config = info.config.clone();
            let differences = diff::align_consumer(&mut config, &wanted, force);
            if !differences.is_empty() {
                self.consumers.push((*stage, config));
            }
            let alter = |(setting, from, to)| Change::AlterConsumer {
                stream: stream.clone(),
                consumer: stage.to_string(),
                setting,
                from,
                to,
            };
            self.changes.extend(differences.into_iter().map(alter));
        }
    }
}

/// The replicas that most streams have now; 1 where there are none.
fn common_replicas(found: &Found) -> u8 {
    let replicas = |(_, info): &(Stream, Option<stream::Info>)| {
        info.as_ref().map(|info| info.config.num_replicas)
    };
    let most = found.streams.iter().filter_map(replicas).max();
    most.and_then(|most| u8::try_from(most).ok()).unwrap_or(1)
}

/// Bytes that the account may still reserve for `sized`, where the account has a limit: what those streams hold reserved now is theirs.
fn free_room(account: &Account, found: &Found, sized: &[Stream], replicas: u8) -> Option<i64> {
    let tier = account.tiers.get(&format!("R{replicas}"));
    let (limits, reserved) = match tier {
        Some(tier) => (&tier.limits, tier.reserved_storage),
        None => (&account.limits, account.reserved_storage),
    };
    let limit = limits.max_storage?;
    let ours: i64 = found
        .streams
        .iter()
        .filter(|(stream, _)| sized.contains(stream))
        .filter_map(|(_, info)| info.as_ref())
        .map(|info| info.config.max_bytes.max(0))
        .sum();
    Some(limit - i64::try_from(reserved).unwrap_or(i64::MAX) + ours)
}
