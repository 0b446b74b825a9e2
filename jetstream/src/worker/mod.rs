//! A worker: processes the messages of a consumer at least once, and is never stuck.
//!
//! ```text
//!   consumer ─► pull (free permits only) ─► in flight ─► attempt: decode, handle, decide
//!                                             │ ▲          ├─► settle: ack; dead letter, then term
//!                                +WPI each third of        ├─► nak with a delay
//!                                the lease                 └─► dependency unavailable: stays in
//!                                                              flight, pulling pauses, probes
//! ```
//!
//! * One task owns all state (`run`): messages in flight, running attempts, the retry history.
//! * Attempts run beside it and end with a decision; their permits are free again while `settle`
//!   waits for the server.
//! * Decisions are pure functions (`decision`, `breaker`).
//! * `crash_guard` tells a message that kills its workers from one that only waits, and
//!   `stream_epoch` a stream from its successor.
//! * Only `settle` sends acknowledgements. Only the run loop sends `-NAK`: from a task, a later
//!   `+WPI` could cancel its delay.

mod attempt;
mod bind;
mod breaker;
mod config;
mod crash_guard;
mod decision;
mod delivery;
mod in_flight;
mod metrics;
mod processor;
mod report;
mod retry_history;
mod run;
mod settle;
mod shared;
mod stream_epoch;

use std::sync::Arc;

use async_nats::{SubscribeError, Subscriber};
use crispy_fault::{DependencyId, Fault};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use {
    config::{CrashMarks, Limits, WorkerConfig},
    delivery::{Delivery, Headers},
    processor::{DeadLetter, DeadLetterKind, DecodeError, Processor},
};

use crate::{
    Connection,
    pull::Puller,
    readiness::{Readiness, WorkerState, WorkerWatch},
};
use bind::Binding;

/// A worker, bound to the consumer that it shares with other workers of its kind.
///
/// * A message is done only when its handler returned Ok and the server has confirmed the
///   acknowledgement. Until then it is delivered again.
/// * It holds at most twice as many messages as it may handle at once, and extends the lease of
///   each for as long as it holds it.
/// * A message that cannot be handled ends as a dead letter, and leaves its stream only after the
///   dead letter is stored.
/// * An outage of the server or of a dependency is waited out. It never counts against a message.
#[derive(Debug)]
pub struct Worker {
    connection: Connection,
    config: WorkerConfig,
    binding: Binding,
    puller: Puller,
    /// Advisories that the stream was deleted. A user who may not subscribe to them learns of the
    /// deletion by failing requests.
    deletions: Subscriber,
    state: watch::Sender<WorkerState>,
}

/// The work of a worker from start to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages handled and acknowledged.
    pub handled: u64,
    /// Deliveries that went back for a retry.
    pub retried: u64,
    /// Messages that ended as dead letters.
    pub dead_lettered: u64,
    /// Messages that were held at the stop and went back, unhandled or unfinished.
    pub handed_back: u64,
}

impl Worker {
    /// Binds to the consumer of `config`. Creates nothing.
    ///
    /// # Errors
    /// `NotFound` where the stream or its consumer is missing, `Unavailable` where the server does
    /// not answer.
    pub async fn bind(connection: &Connection, config: WorkerConfig) -> Result<Self, Fault> {
        let found = bind::find(connection, &config).await;
        let binding = found.map_err(bind::BindFailure::into_fault)?;
        let puller = Puller::open(connection, &config.stream, &config.consumer).await;
        let advisory = format!("$JS.EVENT.ADVISORY.STREAM.DELETED.{}", config.stream);
        let deletions = connection.consuming().client.subscribe(advisory);
        Ok(Self {
            deletions: deletions.await.map_err(closed)?,
            connection: connection.clone(),
            config,
            binding,
            puller: puller.map_err(closed)?,
            state: watch::Sender::new(WorkerState {
                bound: true,
                available: true,
            }),
        })
    }

    /// Its state, to be watched while it works.
    pub fn state(&self) -> watch::Receiver<WorkerState> {
        self.state.subscribe()
    }

    /// Its readiness: links, publisher and worker together.
    pub fn readiness(&self) -> Readiness {
        self.connection.readiness().with_worker(WorkerWatch {
            stream: self.config.stream.clone(),
            consumer: self.config.consumer.clone(),
            state: self.state(),
        })
    }

    /// Works until `stop` is cancelled, then finishes running attempts within the grace period and
    /// hands back the rest.
    pub async fn run<P: Processor>(self, processor: Arc<P>, stop: CancellationToken) -> Summary {
        run::Run::new(self, processor).run(&stop).await
    }
}

fn closed(error: SubscribeError) -> Fault {
    Fault::unavailable(DependencyId::Queue, "bind on a closed connection").with_source(error)
}
