//! Whether a daemon can work now and, if not, why not.
//!
//! ```text
//!   link for consuming ──┐
//!   link for publishing ─┼─► Readiness::reasons()    none: it can work
//!   publisher's stalls ──┤    Readiness::changed()    when to look again
//!   worker's state ──────┘
//! ```
//!
//! Nothing here asks a server: what is known comes from events, and is read when somebody wants to know.

use std::{future::Future, pin::Pin};

use futures_util::future::select_all;
use tokio::sync::watch;

use crate::{Connection, LinkState, Purpose, Stall, Stalls, WorkerState, connection::Link};

/// Why a daemon cannot work now. Its text is a line for whoever looks after the daemon, and has no secrets in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// A link is down, and sought again.
    #[error(
        "no connection to NATS at {servers} for {purpose}: trying again; see whether the server runs and can be reached from here"
    )]
    Disconnected {
        /// The servers tried.
        servers: String,
        /// What it is for.
        purpose: Purpose,
    },
    /// The server is about to close, and no other is known.
    #[error(
        "the NATS server at {servers} is about to close, and no other is known: start it again, or name another in --nats-server"
    )]
    LameDuck {
        /// The servers that are known.
        servers: String,
    },
    /// What is published does not get into its stream.
    #[error("publish into {stream}: {stall}")]
    Stalled {
        /// The stream's name on the server.
        stream: String,
        /// What it waits for.
        stall: Stall,
    },
    /// The stream that work comes from, or its durable, does not answer.
    #[error(
        "stream {stream} or its consumer {consumer} is missing or does not answer: if it was deleted, run `crispy setup`"
    )]
    Unbound {
        /// The stream's name on the server.
        stream: String,
        /// The durable's name.
        consumer: String,
    },
    /// What the work is done for is away: the bucket. The log says why.
    #[error(
        "the destination is away: nothing is taken from the queue until it answers; the log says why and what to do"
    )]
    DestinationAway,
}

/// Whether a daemon can work, now and from now on.
///
/// A clone shares nothing but what it reads: a health endpoint and a log may each have one. While one is kept, the connection closes by
/// [`Connection::close`] only.
#[derive(Clone, Debug)]
pub struct Readiness {
    connection: Connection,
    consuming: watch::Receiver<LinkState>,
    /// From the first publisher on.
    publishing: Option<(watch::Receiver<LinkState>, watch::Receiver<Stalls>)>,
    worker: Option<WorkerWatch>,
}

/// A worker's state, and the consumer that it works for.
#[derive(Clone, Debug)]
pub(crate) struct WorkerWatch {
    pub(crate) stream: String,
    pub(crate) consumer: String,
    pub(crate) state: watch::Receiver<WorkerState>,
}

impl Connection {
    /// Whether its links stand and its publisher gets on. A worker has more to say: [`crate::Worker::readiness`].
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

    /// Why it cannot work now; empty when it can.
    pub fn reasons(&self) -> Vec<NotReady> {
        let mut reasons = self.of_link(self.connection.consuming(), Purpose::Consuming);
        if let Some(publisher) = self.connection.publishing() {
            reasons.extend(self.of_link(publisher.link(), Purpose::Publishing));
            reasons.extend(of_stalls(&publisher.stalls().borrow()));
        }
        if let Some(worker) = &self.worker {
            reasons.extend(of_worker(worker));
        }
        // One server that closes closes both links.
        reasons.dedup();
        reasons
    }

    /// Waits until there may be something new. A publisher that is asked for meanwhile is heard of with the next news.
    pub async fn changed(&mut self) {
        self.hear_publisher();
        let mut news: Vec<Pin<Box<dyn Future<Output = ()> + Send + '_>>> =
            vec![Box::pin(next(&mut self.consuming))];
        if let Some((link, stalls)) = &mut self.publishing {
            news.push(Box::pin(next(link)));
            news.push(Box::pin(next(stalls)));
        }
        if let Some(worker) = &mut self.worker {
            news.push(Box::pin(next(&mut worker.state)));
        }
        select_all(news).await;
    }

    fn hear_publisher(&mut self) {
        if let (None, Some(publisher)) = (&self.publishing, self.connection.publishing()) {
            let mut link = publisher.link().state.clone();
            link.mark_changed();
            self.publishing = Some((link, publisher.stalls()));
        }
    }

    fn of_link(&self, link: &Link, purpose: Purpose) -> Vec<NotReady> {
        let servers = self.connection.servers();
        match (link.is_connected(), link.state.borrow().lame_duck) {
            (false, _) => vec![NotReady::Disconnected { servers, purpose }],
            (true, true) => vec![NotReady::LameDuck { servers }],
            (true, false) => Vec::new(),
        }
    }
}

fn of_stalls(stalls: &Stalls) -> Vec<NotReady> {
    let told = |(stream, stall): (&String, &Stall)| NotReady::Stalled {
        stream: stream.clone(),
        stall: *stall,
    };
    // The link has said it already.
    let others = stalls
        .iter()
        .filter(|(_, stall)| **stall != Stall::Disconnected);
    others.map(told).collect()
}

fn of_worker(worker: &WorkerWatch) -> Vec<NotReady> {
    let state = *worker.state.borrow();
    let unbound = NotReady::Unbound {
        stream: worker.stream.clone(),
        consumer: worker.consumer.clone(),
    };
    let all = [
        (!state.bound, unbound),
        (!state.destination, NotReady::DestinationAway),
    ];
    let so = all.into_iter().filter(|(is_so, _)| *is_so);
    so.map(|(_, reason)| reason).collect()
}

/// The next news of one kind; never, once nobody tells of it any more.
async fn next<T>(news: &mut watch::Receiver<T>) {
    if news.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
