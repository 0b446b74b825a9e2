//! Settling: what an answer means for the spool.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crispy_fault::Kind;
use crispy_proto::{
    id::ChunkId,
    v1::{
        CameraEvent, ChunkDropped, ChunkReady, ChunkUploaded, DeadLetterDecision, camera_event,
        dead_letter_decision::{Decision, Replayed},
    },
};
use crispy_queue::{SpoolEvent, SpoolEventKind, SpoolEvents};
use crispy_runtime::health::Condition;
use crispy_spool::Spool;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::{
    Outbox,
    ledger::{Receipt, Verdict},
};
use crate::measured;

/// Nobody complains for so long: the answers' stream is there, and has none.
const QUIET: Duration = Duration::from_secs(2);

/// A chunk that left the spool, or could not.
pub(super) struct Freed {
    id: ChunkId,
    answer: SpoolEvent,
    outcome: anyhow::Result<()>,
}

impl Outbox {
    pub(super) async fn answered(&mut self, answer: SpoolEvent) {
        match &answer.kind {
            SpoolEventKind::Uploaded(upload) => match self.judge(upload) {
                Some((id, Verdict::Free)) => return self.free(id, answer),
                Some((id, Verdict::Differs)) => self.about(&id, || warn!(
                    chunk = %id, object = upload.object,
                    "the bucket holds other bytes than the spool; ours are kept: compare the object with the spool's file"
                )),
                _ => {}
            },
            // Not acknowledged, a word comes again, and with it the next attempt to act on it.
            SpoolEventKind::DeadLetter(letter) if !self.park(letter).await => return,
            SpoolEventKind::Decision(ruling) => match self.ruled(ruling) {
                Some((id, Decision::Dropped(_))) => {
                    let ruled_us = ruling.ruled_us;
                    return self.drop(id, ruled_us, answer);
                }
                Some((id, Decision::Replayed(replayed))) => {
                    if !self.unpark(&id).await {
                        return;
                    }
                    self.wait_again(&id, replayed);
                }
                None => {}
            },
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

    /// The bucket has it.
    fn free(&mut self, id: ChunkId, answer: SpoolEvent) {
        let spool = Arc::clone(&self.spool);
        self.freeing.push(Box::pin(async move {
            let outcome = remove(spool, id.clone()).await;
            Freed {
                id,
                answer,
                outcome,
            }
        }));
    }

    pub(super) async fn freed(
        &mut self,
        Freed {
            id,
            answer,
            outcome,
        }: Freed,
    ) {
        match outcome {
            Ok(()) => {
                self.health.freeing.met();
                self.ledger.settle(&id);
                answer.ack().await;
            }
            // Not acknowledged: the answer comes again, and with it the next attempt.
            Err(error) => {
                self.about(&id, || error!(chunk = %id, error = format!("{error:#}"), "a chunk is not needed any more and cannot be removed from the spool: check its disk; tried again when its answer comes again"));
                self.health
                    .freeing
                    .unmet("chunks that the bucket has cannot be removed: check the spool's disk and the rights to it");
            }
        }
    }

    /// What an operator's word says of a chunk of ours.
    fn ruled<'a>(&self, ruling: &'a DeadLetterDecision) -> Option<(ChunkId, &'a Decision)> {
        let id = ChunkId::from_wire(ruling.chunk.as_ref()).ok()?;
        let ours = ruling.spool_id == self.spool.id().as_str();
        if !ours || !self.ledger.owes(&id, ruling.committed_us) {
            return None;
        }
        Some((id, ruling.decision.as_ref()?))
    }

    /// It is in the queue again, by another's hand.
    fn wait_again(&mut self, id: &ChunkId, replayed: &Replayed) {
        self.about(
            id,
            || info!(chunk = %id, "an operator has sent a chunk again that was given up"),
        );
        let receipt = Receipt {
            message_id: replayed.message_id.clone(),
            sequence: replayed.stream_sequence,
            since: Instant::now(),
        };
        self.ledger.replayed(id, receipt);
    }

    /// Declares the loss, and only then lets go of the bytes.
    fn drop(&mut self, id: ChunkId, ruled_us: i64, answer: SpoolEvent) {
        self.about(&id, || warn!(chunk = %id, "dropped by an operator: it will not reach the bucket, and the camera's events say so; nothing to do if it was meant"));
        let (spool, publisher) = (Arc::clone(&self.spool), self.publisher.clone());
        let subject = self.subjects.events(&id.camera);
        self.freeing.push(Box::pin(async move {
            let declare = async {
                let Some(chunk) = spool.descriptor(&id)? else {
                    return Ok(());
                };
                let event = dropped(chunk, ruled_us);
                let message_id = format!("event:{id}@{ruled_us}");
                publisher.publish(subject, &message_id, &event).await?;
                remove(Arc::clone(&spool), id.clone()).await?;
                measured::dropped(&id.camera, "operator");
                Ok(())
            };
            let outcome = declare.await;
            Freed {
                id,
                answer,
                outcome,
            }
        }));
    }
}

/// Unlinks the bytes away from this thread, for the disk may take its time.
async fn remove(spool: Arc<Spool>, id: ChunkId) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || spool.free(&id)).await??;
    Ok(())
}

/// The declaration that a chunk will not reach the bucket.
fn dropped(chunk: ChunkReady, at_us: i64) -> CameraEvent {
    let id = chunk.id.clone().unwrap_or_default();
    let producer = Some(crispy_runtime::producer(env!("CARGO_PKG_VERSION")));
    CameraEvent {
        site: id.site,
        camera: id.camera,
        run: id.run,
        at_us,
        producer: producer.clone(),
        detail: "dropped by an operator".to_owned(),
        kind: Some(camera_event::Kind::Dropped(ChunkDropped {
            chunk: Some(chunk),
            reason: "dropped by operator".to_owned(),
            dropped_us: at_us,
            producer,
        })),
    }
}

/// The next answer, however long the server is away, and whether it could be heard meanwhile. Cancel safe.
/// `deaf` is whether the log says that it could not.
pub(super) async fn next_answer(
    answers: &mut SpoolEvents,
    heard: &Condition,
    deaf: &mut bool,
) -> SpoolEvent {
    let well = |deaf: &mut bool| {
        heard.met();
        if std::mem::take(deaf) {
            info!("answers are heard again");
        }
    };
    loop {
        let next = tokio::select! {
            next = answers.next() => next,
            () = sleep(QUIET) => {
                well(deaf);
                continue;
            }
        };
        match next {
            Ok(answer) => {
                well(deaf);
                return answer;
            }
            Err(error) => {
                let pause = if error.kind() == &Kind::Corrupt {
                    Duration::ZERO
                } else {
                    Duration::from_secs(1)
                };
                let error = format!("{:#}", anyhow::Error::new(error));
                if !pause.is_zero() {
                    *deaf = true;
                    heard.unmet(format!(
                        "nobody can say that a chunk is in the bucket ({error}): see to the NATS server and its streams"
                    ));
                }
                warn!(
                    error,
                    "no answers for now, so nothing leaves the spool: see to the NATS server and its streams; asked again in a second"
                );
                sleep(pause).await;
            }
        }
    }
}
