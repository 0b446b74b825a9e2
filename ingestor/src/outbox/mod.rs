//! The outbox: every committed chunk is published, watched until the bucket has it, and only then freed.
//!
//! ```text
//!   cameras ── committed ──► ledger ── publish ──► CHUNKS ──► uploader ──► bucket
//!   spool ──── left over ──►   │  ▲                                          │
//!                              │  └── overdue? ask where it is: queued, or    │
//!                              │      nowhere: publish under another id      │
//!                              └── free the bytes, then ack ◄── ChunkUploaded ┘
//!                                  mark, then ack ◄── DeadLetter;  wait again, or declare and free ◄── an operator's ruling
//! ```
//!
//! The spool is the truth, the queue a hint: whatever becomes of queue and streams, what is in the spool is published again.

mod ledger;
mod parked;
mod send;
mod settle;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crispy_jetstream::{PublishError, Published};
use crispy_proto::id::{CameraId, ChunkId};
use crispy_queue::{Connection, Message, Publisher, SpoolEvents, Subjects, message_id};
use crispy_runtime::health::{Condition, readiness};
use crispy_spool::{DescriptorError, Spool};
use crispy_telemetry::context;
use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, watch},
    time::interval,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{handoff::Outgoing, owed::Owed};
use ledger::Ledger;
use parked::{Letters, Looked};
use send::Sent;
use settle::{Freed, next_answer};

/// How often the ledger is asked what is overdue.
const LOOK: Duration = Duration::from_secs(5);

/// Publishes, watches and frees the chunks of one spool.
pub struct Outbox {
    spool: Arc<Spool>,
    connection: Connection,
    publisher: Publisher,
    subjects: Subjects,
    ledger: Ledger,
    letters: Letters,
    /// Work under way: what is being published and what is being freed.
    publishing: FuturesUnordered<BoxFuture<'static, Sent>>,
    notices: FuturesUnordered<BoxFuture<'static, Result<Published, PublishError>>>,
    freeing: FuturesUnordered<BoxFuture<'static, Freed>>,
    looking: FuturesUnordered<BoxFuture<'static, Option<Looked>>>,
    /// What others may know of the ledger.
    owed: watch::Sender<Owed>,
    health: Health,
    /// The log's last word about answers is that none can be heard.
    deaf: bool,
}

/// What the outbox says to whoever asks whether the ingestor is ready.
#[derive(Debug)]
struct Health {
    /// It can hear that a chunk is in the bucket.
    answers: Condition,
    /// It can remove what is.
    freeing: Condition,
}

impl Health {
    fn good() -> Self {
        let good = |name| {
            let condition = readiness().condition(name);
            condition.met();
            condition
        };
        Self {
            answers: good("answers"),
            freeing: good("spool"),
        }
    }
}

/// What is left when the outbox ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Chunks that no answer has come for.
    pub waiting: usize,
    /// Chunks that a stage gave up.
    pub parked: usize,
}

impl Outbox {
    /// An outbox that owes what `spool` holds already.
    pub async fn open(spool: Arc<Spool>, connection: Connection) -> Result<Self, DescriptorError> {
        let mut ledger = Ledger::default();
        for chunk in spool.left() {
            let chunk = chunk?;
            // The scan has read the id before: a descriptor without one is not in the spool.
            if let Ok(id) = ChunkId::from_wire(chunk.id.as_ref()) {
                ledger.owe(id.clone(), &chunk);
                if spool.is_parked(&id) {
                    ledger.park(&id);
                }
            }
        }
        if ledger.waiting() > 0 {
            info!(
                chunks = ledger.waiting(),
                "the spool holds chunks of an earlier start: they are sent again until they are answered"
            );
        }
        if ledger.parked() > 0 {
            warn!(
                chunks = ledger.parked(),
                "the spool holds chunks that were given up: they are kept and not sent; see `crispy dead list`, then replay or drop them"
            );
        }
        Ok(Self {
            letters: Letters::of_an_earlier_start(ledger.parked() > 0),
            publisher: connection.publisher().await,
            subjects: connection.subjects(),
            spool,
            connection,
            ledger,
            publishing: FuturesUnordered::new(),
            notices: FuturesUnordered::new(),
            freeing: FuturesUnordered::new(),
            looking: FuturesUnordered::new(),
            owed: watch::Sender::default(),
            health: Health::good(),
            deaf: false,
        })
    }

    /// What is owed an answer, to be watched.
    pub fn owed(&self) -> watch::Receiver<Owed> {
        self.owed.subscribe()
    }

    /// Works until `cameras` is closed and everything is answered, or until it is told to stop.
    pub async fn run(
        mut self,
        mut cameras: mpsc::UnboundedReceiver<Outgoing>,
        mut answers: SpoolEvents,
        stop: CancellationToken,
    ) -> Remains {
        let mut look = interval(LOOK);
        let mut cameras_done = false;
        while !(cameras_done && self.is_done()) {
            self.publish_what_waits();
            tokio::select! {
                () = stop.cancelled() => break,
                outgoing = cameras.recv(), if !cameras_done => match outgoing {
                    Some(outgoing) => self.take(outgoing),
                    None => cameras_done = true,
                },
                Some(sent) = self.publishing.next() => self.sent(sent),
                Some(notice) = self.notices.next() => said(notice),
                Some(freed) = self.freeing.next() => self.freed(freed).await,
                answer = next_answer(&mut answers, &self.health.answers, &mut self.deaf) => self.answered(answer).await,
                Some(looked) = self.looking.next() => self.looked_for_letters(looked, &answers).await,
                _ = look.tick() => {
                    self.owed.send_replace(self.ledger.owed());
                    self.look_for_the_overdue(&answers).await;
                    self.look_for_letters().await;
                }
            }
        }
        Remains {
            waiting: self.ledger.waiting(),
            parked: self.ledger.parked(),
        }
    }

    /// Logs something about a chunk, so that the line leads to its trace.
    fn about(&self, id: &ChunkId, log: impl FnOnce()) {
        context::in_trace(self.ledger.traceparent(id), log);
    }

    fn is_done(&self) -> bool {
        self.ledger.waiting() == 0
            && self.publishing.is_empty()
            && self.notices.is_empty()
            && self.freeing.is_empty()
            && (self.ledger.parked() == 0 || self.letters.are_known())
    }

    fn take(&mut self, outgoing: Outgoing) {
        match outgoing {
            Outgoing::Chunk(id, chunk) => self.ledger.owe(id, &chunk),
            Outgoing::Run(state) => {
                let subject =
                    camera(&state.site, &state.camera).map(|camera| self.subjects.runs(&camera));
                self.announce(subject, message_id::run(&state), state);
            }
            Outgoing::Event(event) => {
                let subject =
                    camera(&event.site, &event.camera).map(|camera| self.subjects.events(&camera));
                let id = format!(
                    "event:{}/{}/{}@{}",
                    event.site, event.camera, event.run, event.at_us
                );
                self.announce(subject, id, event);
            }
        }
    }

    fn announce<M: Message>(
        &mut self,
        subject: Option<crispy_queue::Subject>,
        id: String,
        message: Box<M>,
    ) {
        let (Some(subject), publisher) = (subject, self.publisher.clone()) else {
            return;
        };
        self.notices.push(Box::pin(async move {
            publisher.publish(subject, &id, &*message).await
        }));
    }

    async fn look_for_the_overdue(&mut self, answers: &SpoolEvents) {
        let now = Instant::now();
        let overdue = self.ledger.overdue(now);
        if overdue.is_empty() {
            return;
        }
        // An answer that is on its way explains everything. A server that does not reply explains nothing: ask again later.
        if !matches!(answers.pending().await, Ok(0)) {
            return;
        }
        for (id, receipt) in overdue {
            match self
                .connection
                .is_queued(
                    crispy_queue::Stream::Chunks,
                    receipt.sequence,
                    &receipt.message_id,
                )
                .await
            {
                Ok(true) => self.ledger.still_queued(&id, now),
                Ok(false) => {
                    self.about(
                        &id,
                        || info!(chunk = %id, "neither queued nor answered: sent again"),
                    );
                    self.ledger.send_again(&id);
                }
                Err(_) => return,
            }
        }
    }
}

fn camera(site: &str, camera: &str) -> Option<CameraId> {
    CameraId::from_wire(site, camera).ok()
}

fn said(notice: Result<Published, PublishError>) {
    if let Err(error) = notice {
        let error = anyhow::Error::new(error);
        error!(
            error = format!("{error:#}"),
            "an event is not published, and no video is touched by that: see to what the error names, so that the next ones are"
        );
    }
}
