//! The outbox: publishes every committed chunk, watches until the bucket has it, and only then
//! frees it.
//!
//! ```text
//!   cameras ── committed ──► ledger ── publish ──► CHUNKS ──► uploader ──► bucket
//!   spool ──── recovered ─►   │  ▲                                          │
//!                             │  └── overdue? look it up: queued, or        │
//!                             │      nowhere: publish it under another id   │
//!                             ├── free the bytes, then ack ◄── ChunkUploaded┘
//!                             ├── write the marker, then ack ◄── DeadLetter
//!                             └── wait again, or declare and free ◄── an operator's decision
//! ```
//!
//! The spool is the source of truth, the queue a hint: whatever happens to queue and streams, every
//! chunk in the spool is published again.
//!
//! A fresh chunk's descriptor comes from its camera in memory, as the bytes that were committed.
//! Memory is bounded: only [`PUBLISHING`] descriptors are held at a time; a chunk beyond them is
//! read from the spool when its turn comes, as a resent one is.

mod events;
mod ledger;
mod overdue;
mod parked;
mod publish;

use std::{sync::Arc, time::Duration};

use crispy_fault::{Fault, chain};
use crispy_jetstream::{PublishError, Published};
use crispy_proto::id::{CameraId, ChunkId};
use crispy_queue::{Connection, Message, Publisher, SpoolEvents, Subject, Subjects, message_id};
use crispy_runtime::health::{Condition, readiness};
use crispy_spool::Spool;
use crispy_telemetry::context;
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, watch},
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{handoff::Outgoing, metrics::Pending};
use events::{Freed, next_event};
use ledger::Ledger;
use overdue::LookedUp;
use parked::{LetterSearch, Letters};
use publish::{PUBLISHING, PublishResult};

/// Interval at which overdue chunks are looked up.
const CHECK: Duration = Duration::from_secs(5);

/// Runs and events that may wait for the queue, some 1 KB each. Beyond them the cameras wait.
const ANNOUNCEMENTS: usize = 16 * 1024;

/// Publishes, watches and frees the chunks of one spool.
pub(crate) struct Outbox {
    spool: Arc<Spool>,
    connection: Connection,
    publisher: Publisher,
    subjects: Subjects,
    ledger: Ledger,
    letters: Letters,
    publishing: FuturesUnordered<BoxFuture<'static, PublishResult>>,
    /// Runs, events and dead letters that are being published.
    announcing: FuturesUnordered<BoxFuture<'static, Result<Published, PublishError>>>,
    freeing: FuturesUnordered<BoxFuture<'static, Freed>>,
    looking_up: FuturesUnordered<BoxFuture<'static, Vec<LookedUp>>>,
    searching: FuturesUnordered<BoxFuture<'static, Option<LetterSearch>>>,
    /// The ledger's numbers, for metrics.
    pending: watch::Sender<Pending>,
    health: Health,
    /// The log's last line about events was that they are unavailable.
    events_unavailable: bool,
}

/// The outbox's conditions of readiness.
#[derive(Debug)]
struct Health {
    /// Confirmations of uploads arrive.
    answers: Condition,
    /// Confirmed chunks can be removed.
    freeing: Condition,
}

impl Health {
    fn new() -> Self {
        let met = |name| {
            let condition = readiness().condition(name);
            condition.met();
            condition
        };
        Self {
            answers: met("answers"),
            freeing: met("spool"),
        }
    }
}

/// The unfinished chunks at the end of the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Chunks without a confirmation.
    pub(crate) waiting: usize,
    /// Chunks that an uploader gave up.
    pub(crate) parked: usize,
}

impl Outbox {
    /// An outbox with the chunks that are in `spool` already.
    pub(crate) async fn open(spool: Arc<Spool>, connection: Connection) -> anyhow::Result<Self> {
        let ledger = on_disk(&spool, recover).await?;
        if ledger.waiting() > 0 {
            info!(
                chunks = ledger.waiting(),
                "resending chunks of an earlier start"
            );
        }
        if ledger.parked_count() > 0 {
            warn!(
                chunks = ledger.parked_count(),
                hint = "see `crispy dead list`, then replay or drop them",
                "parked chunks in spool, not sent again"
            );
        }
        Ok(Self {
            letters: Letters::new(ledger.parked_count() > 0),
            publisher: connection.publisher().await,
            subjects: connection.subjects(),
            spool,
            connection,
            ledger,
            publishing: FuturesUnordered::new(),
            announcing: FuturesUnordered::new(),
            freeing: FuturesUnordered::new(),
            looking_up: FuturesUnordered::new(),
            searching: FuturesUnordered::new(),
            pending: watch::Sender::default(),
            health: Health::new(),
            events_unavailable: false,
        })
    }

    /// The numbers of its chunks, to be watched.
    pub(crate) fn pending(&self) -> watch::Receiver<Pending> {
        self.pending.subscribe()
    }

    /// Works until `cameras` is closed and everything is answered, or until the stop.
    ///
    /// After the stop `cameras` is closed: a camera that waits for a place in it is released.
    pub(crate) async fn run(
        mut self,
        mut cameras: mpsc::Receiver<Outgoing>,
        mut events: SpoolEvents,
        stop: CancellationToken,
    ) -> Summary {
        let counter = events.pending_events();
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut cameras_done = false;
        while !(cameras_done && self.is_done()) {
            self.publish_unsent();
            let has_space = self.announcing.len() < ANNOUNCEMENTS;
            tokio::select! {
                () = stop.cancelled() => break,
                outgoing = cameras.recv(), if !cameras_done && has_space => match outgoing {
                    Some(outgoing) => self.accept(outgoing),
                    None => cameras_done = true,
                },
                Some(result) = self.publishing.next() => self.published(result),
                Some(result) = self.announcing.next() => log_result(result),
                Some(freed) = self.freeing.next() => self.freed(freed).await,
                event = next_event(&mut events, &self.health.answers, &mut self.events_unavailable) => {
                    self.handle(event).await;
                }
                Some(results) = self.looking_up.next() => self.looked_up(results, &counter),
                Some(search) = self.searching.next() => self.finish_search(search).await,
                _ = check.tick() => {
                    self.pending.send_replace(self.ledger.pending());
                    self.look_up_overdue(&counter);
                    self.search_letters(&counter);
                }
            }
        }
        Summary {
            waiting: self.ledger.waiting(),
            parked: self.ledger.parked_count(),
        }
    }

    /// Logs a line about a chunk inside its trace.
    fn log_in_trace(&self, id: &ChunkId, log: impl FnOnce()) {
        context::in_trace(self.ledger.traceparent(id), log);
    }

    fn is_done(&self) -> bool {
        self.ledger.waiting() == 0
            && self.publishing.is_empty()
            && self.announcing.is_empty()
            && self.freeing.is_empty()
            && (self.ledger.parked_count() == 0 || self.letters.are_known())
    }

    fn accept(&mut self, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Chunk(id, descriptor) => {
                self.ledger.track(id.clone(), &descriptor.chunk);
                if self.publishing.len() < PUBLISHING && !self.ledger.has_unsent() {
                    self.publish_fresh(id, *descriptor);
                } else {
                    self.ledger.enqueue(id);
                }
            }
            Outgoing::Run(state) => {
                let camera = camera(&state.site, &state.camera);
                let subject = camera.map(|camera| self.subjects.runs(&camera));
                self.announce(subject, message_id::run(&state), state);
            }
            Outgoing::Event(event) => {
                let camera = camera(&event.site, &event.camera);
                let subject = camera.map(|camera| self.subjects.events(&camera));
                let id = format!(
                    "event:{}/{}/{}@{}",
                    event.site, event.camera, event.run, event.at_us
                );
                self.announce(subject, id, event);
            }
        }
    }

    fn announce<M: Message>(&mut self, subject: Option<Subject>, id: String, message: Box<M>) {
        let (Some(subject), publisher) = (subject, self.publisher.clone()) else {
            return;
        };
        self.announcing.push(Box::pin(async move {
            publisher.publish(subject, &id, &*message).await
        }));
    }
}

/// The chunks of earlier processes.
fn recover(spool: &Spool) -> Result<Ledger, Fault> {
    let mut ledger = Ledger::default();
    for descriptor in spool.recovered() {
        let chunk = descriptor?.chunk;
        // The scan has read the id before: a descriptor without one is not in the spool.
        if let Ok(id) = ChunkId::from_wire(chunk.id.as_ref()) {
            ledger.track(id.clone(), &chunk);
            ledger.enqueue(id.clone());
            if spool.is_parked(&id) {
                ledger.park(&id);
            }
        }
    }
    Ok(ledger)
}

/// Does something with the spool on a thread that may block.
async fn on_disk<T: Send + 'static>(
    spool: &Arc<Spool>,
    act: impl FnOnce(&Spool) -> Result<T, Fault> + Send + 'static,
) -> anyhow::Result<T> {
    let spool = Arc::clone(spool);
    Ok(spawn_blocking(move || act(&spool)).await??)
}

fn camera(site: &str, camera: &str) -> Option<CameraId> {
    CameraId::from_wire(site, camera).ok()
}

fn log_result(result: Result<Published, PublishError>) {
    if let Err(error) = result {
        error!(error = chain(&error), "failed to publish camera event");
    }
}
