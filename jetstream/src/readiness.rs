//! Readiness: links, publisher and worker together.
//!
//! ```text
//!   consuming link ─────┐
//!   publishing link ────┼─► Readiness::reasons()    none: ready
//!   publisher's stalls ─┤    Readiness::changed()    time to look again
//!   worker's state ─────┘
//! ```
//!
//! It sends no requests: its facts come from events.

use std::{future::Future, pin::Pin};

use futures_util::future::select_all;
use tokio::sync::watch;

use crate::{Connection, LinkRole, LinkState, Stall, Stalls, connection::link::Link};

/// A reason against readiness. Its text is a line for operators, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// A link is down, and reconnecting.
    #[error(
        "no connection to NATS at {servers} for {role}: reconnecting; check that the server runs and is reachable"
    )]
    Disconnected {
        /// The servers tried.
        servers: String,
        /// The link's role.
        role: LinkRole,
    },
    /// The server is in lame duck mode, and no other is known.
    #[error(
        "the NATS server at {servers} is about to close, and no other is known: restart it, or add another to --nats-server"
    )]
    LameDuck {
        /// The servers that are known.
        servers: String,
    },
    /// Publishing into a stream is stalled.
    #[error("publish into {stream}: {stall}")]
    Stalled {
        /// The stream's name on the server.
        stream: String,
        /// The cause.
        stall: Stall,
    },
    /// The worker's stream or consumer is missing, or does not answer.
    #[error(
        "stream {stream} or its consumer {consumer} is missing or does not answer: if it was deleted, run `crispy setup`"
    )]
    Unbound {
        /// The stream's name on the server.
        stream: String,
        /// The consumer's name.
        consumer: String,
    },
    /// A dependency that every message needs is unavailable: the bucket. The log has the error.
    #[error("dependency unavailable, consumption is paused: see the log for the error and a hint")]
    DependencyUnavailable,
}

/// The readiness of a process.
///
/// A health endpoint and a log may each have a clone. While one exists, the connection closes by
/// [`Connection::close`] only.
#[derive(Clone, Debug)]
pub struct Readiness {
    connection: Connection,
    consuming: watch::Receiver<LinkState>,
    /// Set from the first publisher on.
    publishing: Option<(watch::Receiver<LinkState>, watch::Receiver<Stalls>)>,
    worker: Option<WorkerWatch>,
}

/// The state of a worker, for health and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerState {
    /// Its consumer answers.
    pub bound: bool,
    /// The dependencies that every message needs are available, as far as is known.
    pub available: bool,
}

/// A worker's state, and the consumer that it works for.
#[derive(Clone, Debug)]
pub(crate) struct WorkerWatch {
    pub(crate) stream: String,
    pub(crate) consumer: String,
    pub(crate) state: watch::Receiver<WorkerState>,
}

impl Connection {
    /// The readiness of its links and its publisher. [`crate::Worker::readiness`] adds the worker.
    pub fn readiness(&self) -> Readiness {
        Readiness {
            connection: self.clone(),
            consuming: self.state(),
            publishing: None,
            worker: None,
        }
    }
}

impl Readiness {
    pub(crate) fn with_worker(mut self, worker: WorkerWatch) -> Self {
        self.worker = Some(worker);
        self
    }

    /// The reasons against readiness now; empty when ready.
    pub fn reasons(&self) -> Vec<NotReady> {
        let mut reasons = self.link_reasons(self.connection.consuming(), LinkRole::Consuming);
        if let Some(publisher) = self.connection.publishing() {
            reasons.extend(self.link_reasons(publisher.link(), LinkRole::Publishing));
            reasons.extend(stall_reasons(&publisher.stalls().borrow()));
        }
        if let Some(worker) = &self.worker {
            reasons.extend(worker_reasons(worker));
        }
        // A closing server closes both links.
        reasons.dedup();
        reasons
    }

    /// Waits until the reasons may have changed. A publisher that is created meanwhile is watched
    /// from the next call on.
    pub async fn changed(&mut self) {
        self.watch_publisher();
        let mut changes: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> =
            vec![Box::pin(next(&mut self.consuming))];
        if let Some((link, stalls)) = &mut self.publishing {
            changes.push(Box::pin(next(link)));
            changes.push(Box::pin(next(stalls)));
        }
        if let Some(worker) = &mut self.worker {
            changes.push(Box::pin(next(&mut worker.state)));
        }
        select_all(changes).await;
    }

    fn watch_publisher(&mut self) {
        if let (None, Some(publisher)) = (&self.publishing, self.connection.publishing()) {
            let mut link = publisher.link().state.clone();
            link.mark_changed();
            self.publishing = Some((link, publisher.stalls()));
        }
    }

    fn link_reasons(&self, link: &Link, role: LinkRole) -> Vec<NotReady> {
        let servers = self.connection.servers();
        match (link.is_connected(), link.state.borrow().lame_duck) {
            (false, _) => vec![NotReady::Disconnected { servers, role }],
            (true, true) => vec![NotReady::LameDuck { servers }],
            (true, false) => Vec::new(),
        }
    }
}

fn stall_reasons(stalls: &Stalls) -> Vec<NotReady> {
    let reason = |(stream, stall): (&String, &Stall)| NotReady::Stalled {
        stream: stream.clone(),
        stall: *stall,
    };
    // The link has reported it already.
    let others = stalls
        .iter()
        .filter(|(_, stall)| **stall != Stall::Disconnected);
    others.map(reason).collect()
}

fn worker_reasons(worker: &WorkerWatch) -> Vec<NotReady> {
    let state = *worker.state.borrow();
    let unbound = NotReady::Unbound {
        stream: worker.stream.clone(),
        consumer: worker.consumer.clone(),
    };
    let all = [
        (!state.bound, unbound),
        (!state.available, NotReady::DependencyUnavailable),
    ];
    let apply = all.into_iter().filter(|(applies, _)| *applies);
    apply.map(|(_, reason)| reason).collect()
}

/// Waits for the next change; for ever once the sender is gone.
async fn next<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
