//! Doing a stage's work: at least once, and never stuck.
//!
//! ```text
//!   durable ──► pull (free hands only) ──► held ──► job: decode, handle, decide ──► closing: ack │ dead letter, term;  nak
//!                                           │ ▲                                          │
//!                              +WPI each third of the lease                              └─ destination away: stays held,
//!                                                                                           pulling pauses, probe every 2 s
//! ```
//!
//! One task owns everything (`shift`): what is held, what runs, what is remembered. Jobs run beside it and tell it what is to become of their
//! messages; a hand is free again then, while `closing` waits for the server. Decisions are pure functions (`outcome`, `breaker`), `suspects`
//! tells a message that kills its workers from one that only waits, `ground` a stream from its successor, and only `settle` speaks to the server
//! about a message. A `nak` is sent by the task itself, never by a job: sent from beside it, a progress sign might overtake it and undo its pause.

mod bench;
mod bind;
mod breaker;
mod closing;
mod config;
mod delivery;
mod failure;
mod ground;
mod held;
mod history;
mod job;
mod metrics;
mod outcome;
mod place;
mod processor;
mod report;
mod settle;
mod shift;
mod suspects;

use std::sync::Arc;

use async_nats::Subscriber;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use {
    bind::BindError,
    config::{CrashMarks, Limits, WorkerConfig},
    delivery::{Delivery, Headers},
    failure::{Cause, Failure},
    processor::{BoxError, DeadLetter, DeadLetterKind, DecodeError, Processor},
};

use crate::{Connection, Readiness, pull::Puller, readiness::WorkerWatch};
use bind::Binding;

/// A worker of a stage, bound to the durable that all workers of the stage share.
///
/// * A message is done only when its handler said Ok and the server has confirmed the acknowledgement; until then it comes again.
/// * It never holds more than twice as many messages as it may handle at once, and keeps the lease of each for as long as it holds it.
/// * A message that cannot be handled ends as a dead letter, and leaves the work only after the dead letter is stored.
/// * An outage, of the server, the destination or an owner, is waited out; nothing is counted against a message.
#[derive(Debug)]
pub struct Worker {
    connection: Connection,
    config: WorkerConfig,
    binding: Binding,
    puller: Puller,
    /// Word that the stream was deleted. Whoever may not hear it learns of it by its requests.
    deletions: Subscriber,
    state: watch::Sender<WorkerState>,
}

/// Whether a worker can work, for health and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerState {
    /// Its durable answers.
    pub bound: bool,
    /// The destination is there, as far as is known.
    pub destination: bool,
}

/// What a worker did, from start to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Messages handled and acknowledged.
    pub handled: u64,
    /// Messages that went back to be tried again, each time they did.
    pub retried: u64,
    /// Messages given up as dead letters.
    pub buried: u64,
    /// Messages that were held at the stop and went back unhandled, or unfinished when the grace was over.
    pub handed_back: u64,
}

impl Worker {
    /// Binds to the durable of `config`'s stage. Makes nothing: what is missing is for `crispy setup` to make.
    pub async fn bind(connection: &Connection, config: WorkerConfig) -> Result<Self, BindError> {
        let binding = bind::look(connection, &config).await?;
        let puller = Puller::open(connection, &config.stream, &config.consumer)
            .await
            .map_err(BindError::Closed)?;
        let advisory = format!("$JS.EVENT.ADVISORY.STREAM.DELETED.{}", config.stream);
        let deletions = connection.consuming().client.subscribe(advisory);
        Ok(Self {
            deletions: deletions.await.map_err(BindError::Closed)?,
            connection: connection.clone(),
            config,
            binding,
            puller,
            state: watch::Sender::new(WorkerState {
                bound: true,
                destination: true,
            }),
        })
    }

    /// Whether it can work, to be watched while it does.
    pub fn state(&self) -> watch::Receiver<WorkerState> {
        self.state.subscribe()
    }

    /// Whether its stage can work now and, if not, why not.
    pub fn readiness(&self) -> Readiness {
        self.connection.readiness().with_worker(WorkerWatch {
            stream: self.config.stream.clone(),
            consumer: self.config.consumer.clone(),
            state: self.state(),
        })
    }

    /// Works until `stop` is cancelled, then finishes what is under way within the grace, hands back the rest, and says what it did.
    pub async fn run<P: Processor>(self, processor: Arc<P>, stop: CancellationToken) -> Drained {
        shift::Shift::new(self, processor).run(&stop).await
    }
}
