//! The outbox: every committed chunk is published, watched until the bucket has it, and only then freed.
//!
//! ```text
//!   cameras ── committed ──► ledger ── publish ──► CHUNKS ──► uploader ──► bucket
//!   spool ──── left over ──►   │  ▲                                          │
//!                              │  └── overdue? ask where it is: queued, or    │
//!                              │      nowhere: publish under another id      │
//!                              └── free the bytes, then ack ◄── ChunkUploaded ┘
//!                                  park ◄── DeadLetter
//! ```
//!
//! The spool is the truth, the queue a hint: whatever becomes of queue and streams, what is in the spool is published again.

mod ledger;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use proto::{
    id::{CameraId, ChunkId},
    v1::{ChunkReady, ChunkUploaded, DeadLetter},
};
use queue::{
    Answer, Answers, AnswersError, Connection, Message, Notice, PublishError, Published, Publisher,
    Subjects, message_id,
};
use store::spool::{DescriptorError, Spool};
use tokio::{
    sync::mpsc,
    time::{interval, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::handoff::Outgoing;
use ledger::{Ledger, Receipt, Verdict};

/// Descriptors that are published at once: the publisher's own window, so that none of them waits with a copy in its hand.
const PUBLISHING: usize = 64;

/// How often the ledger is asked what is overdue.
const LOOK: Duration = Duration::from_secs(5);

/// Publishes, watches and frees the chunks of one spool.
pub struct Outbox {
    spool: Arc<Spool>,
    connection: Connection,
    publisher: Publisher,
    subjects: Subjects,
    ledger: Ledger,
    /// Work under way: what is being published and what is being freed.
    publishing: FuturesUnordered<BoxFuture<'static, Sent>>,
    notices: FuturesUnordered<BoxFuture<'static, Result<Published, PublishError>>>,
    freeing: FuturesUnordered<BoxFuture<'static, Freed>>,
}

/// A descriptor that was published, or could not be.
struct Sent {
    id: ChunkId,
    message_id: String,
    outcome: Result<Published, SendError>,
}

/// A chunk that left the spool, or could not.
struct Freed {
    id: ChunkId,
    answer: Answer,
    outcome: anyhow::Result<()>,
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the spool does not have it any more")]
    Gone,
    #[error("read its descriptor")]
    Descriptor(#[source] DescriptorError),
    #[error("publish its descriptor")]
    Publish(#[source] PublishError),
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
                ledger.owe(id, &chunk);
            }
        }
        if ledger.waiting() > 0 {
            info!(
                chunks = ledger.waiting(),
                "the spool holds chunks of an earlier start: they are sent again until they are answered"
            );
        }
        Ok(Self {
            publisher: connection.publisher().await,
            subjects: connection.subjects(),
            spool,
            connection,
            ledger,
            publishing: FuturesUnordered::new(),
            notices: FuturesUnordered::new(),
            freeing: FuturesUnordered::new(),
        })
    }

    /// Works until `cameras` is closed and everything is answered, or until it is told to stop.
    pub async fn run(
        mut self,
        mut cameras: mpsc::UnboundedReceiver<Outgoing>,
        mut answers: Answers,
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
                Some(sent) = self.publishing.next() => self.sent(sent).await,
                Some(notice) = self.notices.next() => said(notice),
                Some(freed) = self.freeing.next() => self.freed(freed).await,
                answer = next_answer(&mut answers) => self.answered(answer).await,
                _ = look.tick() => self.look_for_the_overdue(&answers).await,
            }
        }
        Remains {
            waiting: self.ledger.waiting(),
            parked: self.ledger.parked(),
        }
    }

    fn is_done(&self) -> bool {
        self.ledger.waiting() == 0
            && self.publishing.is_empty()
            && self.notices.is_empty()
            && self.freeing.is_empty()
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
        subject: Option<queue::Subject>,
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

    fn publish_what_waits(&mut self) {
        while self.publishing.len() < PUBLISHING {
            let Some((id, resent)) = self.ledger.next_unsent() else {
                return;
            };
            let (spool, publisher) = (Arc::clone(&self.spool), self.publisher.clone());
            let subject = self.subjects.chunks(&id.camera);
            self.publishing.push(Box::pin(async move {
                let (message_id, outcome) = match spool.descriptor(&id) {
                    Err(error) => (String::new(), Err(SendError::Descriptor(error))),
                    Ok(None) => (String::new(), Err(SendError::Gone)),
                    Ok(Some(chunk)) => {
                        let message_id = sending(&chunk, resent);
                        let published = publisher.publish(subject, &message_id, &chunk).await;
                        (message_id, published.map_err(SendError::Publish))
                    }
                };
                Sent {
                    id,
                    message_id,
                    outcome,
                }
            }));
        }
    }

    async fn sent(
        &mut self,
        Sent {
            id,
            message_id,
            outcome,
        }: Sent,
    ) {
        let since = Instant::now();
        let sequence = match outcome {
            Ok(published) => published.sequence,
            Err(SendError::Gone) => return self.ledger.settle(&id),
            Err(error) => {
                let error = anyhow::Error::new(error);
                error!(chunk = %id, error = format!("{error:#}"), "a chunk is not published; tried again in a minute");
                0
            }
        };
        debug!(chunk = %id, sequence, "published");
        self.ledger.sent(
            &id,
            Receipt {
                message_id,
                sequence,
                since,
            },
        );
    }

    async fn answered(&mut self, answer: Answer) {
        match &answer.notice {
            Notice::Uploaded(upload) => match self.judge(upload) {
                Some((id, Verdict::Free)) => return self.free(id, answer),
                Some((id, Verdict::Differs)) => warn!(
                    chunk = %id, object = upload.object,
                    "the bucket holds other bytes than the spool; ours are kept: compare the object with the spool's file"
                ),
                _ => {}
            },
            Notice::Dead(letter) => self.park(letter),
            _ => {}
        }
        answer.ack().await;
    }

    fn judge(&self, upload: &ChunkUploaded) -> Option<(ChunkId, Verdict)> {
        let chunk = upload.chunk.as_ref()?;
        let id = ChunkId::from_wire(chunk.id.as_ref()).ok()?;
        let ours = chunk.spool_id == self.spool.id().as_str();
        let verdict = if ours {
            self.ledger.judge(&id, upload)
        } else {
            Verdict::NotOurs
        };
        Some((id, verdict))
    }

    /// Unlinks the bytes away from this thread, for the disk may take its time.
    fn free(&mut self, id: ChunkId, answer: Answer) {
        let (spool, chunk) = (Arc::clone(&self.spool), id.clone());
        let freeing = tokio::task::spawn_blocking(move || spool.free(&chunk));
        self.freeing.push(Box::pin(async move {
            let outcome = freeing
                .await
                .map_err(Into::into)
                .and_then(|freed| freed.map(drop).map_err(Into::into));
            Freed {
                id,
                answer,
                outcome,
            }
        }));
    }

    async fn freed(
        &mut self,
        Freed {
            id,
            answer,
            outcome,
        }: Freed,
    ) {
        match outcome {
            Ok(()) => {
                self.ledger.settle(&id);
                answer.ack().await;
            }
            // Not acknowledged: the answer comes again, and with it the next attempt.
            Err(error) => {
                error!(chunk = %id, error = format!("{error:#}"), "a chunk is in the bucket and cannot be removed from the spool: check its disk");
            }
        }
    }

    fn park(&mut self, letter: &DeadLetter) {
        let Ok(chunk) = <ChunkReady as queue::Decode>::decode(ChunkReady::TYPE, &letter.payload)
        else {
            return;
        };
        let Ok(id) = ChunkId::from_wire(chunk.id.as_ref()) else {
            return;
        };
        if chunk.spool_id == self.spool.id().as_str() && self.ledger.park(&id) {
            error!(chunk = %id, reason = letter.reason, "a chunk was given up; its bytes stay in the spool: mend the reason and replay it");
        }
    }

    async fn look_for_the_overdue(&mut self, answers: &Answers) {
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
                .is_queued(queue::Stream::Chunks, receipt.sequence, &receipt.message_id)
                .await
            {
                Ok(true) => self.ledger.still_queued(&id, now),
                Ok(false) => {
                    info!(chunk = %id, "neither queued nor answered: sent again");
                    self.ledger.send_again(&id);
                }
                Err(_) => return,
            }
        }
    }
}

/// The next answer, however long the server is away. Cancel safe.
async fn next_answer(answers: &mut Answers) -> Answer {
    loop {
        match answers.next().await {
            Ok(answer) => return answer,
            Err(error) => {
                let pause = if matches!(error, AnswersError::Malformed { .. }) {
                    Duration::ZERO
                } else {
                    Duration::from_secs(1)
                };
                let error = anyhow::Error::new(error);
                warn!(
                    error = format!("{error:#}"),
                    "no answers for now; asked again"
                );
                sleep(pause).await;
            }
        }
    }
}

/// Each deliberate sending has an id of its own: the server must not take it for the one before.
fn sending(chunk: &ChunkReady, resent: u32) -> String {
    let id = message_id::ready(chunk);
    if resent == 0 {
        id
    } else {
        message_id::resend(&id, resent)
    }
}

fn camera(site: &str, camera: &str) -> Option<CameraId> {
    CameraId::from_wire(site, camera).ok()
}

fn said(notice: Result<Published, PublishError>) {
    if let Err(error) = notice {
        let error = anyhow::Error::new(error);
        error!(error = format!("{error:#}"), "an event is not published");
    }
}
