//! Carries out a plan.

use async_nats::jetstream::stream;
use crispy_fault::Fault;
use crispy_jetstream::{ApiError, api};

use super::{
    diff::Change,
    plan::{Action, Plan, plan_within},
};
use crate::{Connection, Stream};

/// The result of setting up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// The changes that were made, with the sizes that the server granted.
    pub changes: Vec<Change>,
}

/// Changes made so far.
#[derive(Default)]
struct Progress {
    changes: Vec<Change>,
    /// Streams made by this process: their sizes are still ours to choose.
    made: Vec<Stream>,
}

impl Plan {
    /// Carries it out, one request after another.
    ///
    /// After a refusal the server is read again and the rest is planned again: in smaller sizes for
    /// want of room, so that the streams keep their proportions and no stream that held a message
    /// is ever removed; around the stream of another process that sets up at the same time.
    ///
    /// # Errors
    /// `Rejected` where not even the smallest sizes fit; else the failure of a request.
    pub async fn apply(mut self) -> Result<Applied, Fault> {
        let mut progress = Progress::default();
        let mut scale = None;
        // Each stream can be in the way once: it exists from then on.
        let mut in_the_way = 0;
        while let Err((target, error)) = self.carry_out(&mut progress).await {
            match error {
                ApiError::NoStorage(_) => match self.scale.smaller() {
                    Some(smaller) => scale = Some(smaller),
                    None => return Err(no_room(error)),
                },
                error if error.is_name_taken() && in_the_way < Stream::ALL.len() => in_the_way += 1,
                error => return Err(error.into_fault(format!("set up {target}"))),
            }
            self = plan_within(&self.connection, self.request, scale, &progress.made).await?;
        }
        Ok(Applied {
            changes: progress.changes,
        })
    }

    /// Stops at the first failure, and names its target.
    async fn carry_out(&self, progress: &mut Progress) -> Result<(), (String, ApiError)> {
        let connection = &self.connection;
        // Never several at once: of several streams that did not fit together, a busy server was
        // seen to keep the reservations of those that it refused, and then there was room for none.
        for step in &self.steps {
            match &step.action {
                Action::Create(stream, config) => {
                    put_stream(connection, "CREATE", config).await?;
                    progress.made.push(*stream);
                }
                Action::Alter(config) => {
                    put_stream(connection, "UPDATE", config).await?;
                    progress.correct_size(config);
                }
                Action::Put(stage, config) => {
                    let stream = stage.input().name(connection.prefix());
                    let put = api::put_consumer(connection, &stream, config.clone()).await;
                    put.map_err(|error| (format!("consumer {stage} of stream {stream}"), error))?;
                }
            }
            step.changes
                .iter()
                .for_each(|change| progress.record(change.clone()));
        }
        Ok(())
    }
}

impl Progress {
    /// Adds a change. It replaces an earlier one of the same setting, made in a size that did not
    /// fit; a setting with its first value again is not a change.
    fn record(&mut self, mut change: Change) {
        if let Change::Alter {
            target,
            setting,
            from,
            to,
        } = &mut change
        {
            let is_same = |earlier: &Change| matches!(earlier, Change::Alter { target: t, setting: s, .. } if t == target && s == setting);
            let earlier = self.changes.iter().position(is_same);
            if let Some(at) = earlier
                && let Change::Alter { from: first, .. } = self.changes.remove(at)
            {
                *from = first;
            }
            if from == to {
                return;
            }
        }
        self.changes.push(change);
    }

    /// Corrects the size of a stream that became smaller after it was made.
    fn correct_size(&mut self, config: &stream::Config) {
        for change in &mut self.changes {
            if let Change::CreateStream {
                stream, max_bytes, ..
            } = change
                && *stream == config.name
            {
                *max_bytes = config.max_bytes;
            }
        }
    }
}

async fn put_stream(
    connection: &Connection,
    verb: &str,
    config: &stream::Config,
) -> Result<(), (String, ApiError)> {
    let subject = format!("STREAM.{verb}.{}", config.name);
    let put: Result<stream::Info, _> = api::request(connection, &subject, config).await;
    match put {
        Ok(_) => Ok(()),
        Err(error) => Err((format!("stream {}", config.name), error)),
    }
}

fn no_room(refusal: ApiError) -> Fault {
    Fault::rejected("fit the streams into the server's store")
        .with_source(refusal)
        .with_hint("raise max_file_store, or the account's limit")
}
