//! Events about chunks: uploaded, dead-lettered, and decided by an operator.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crispy_fault::{Kind, chain};
use crispy_proto::{
    id::ChunkId,
    v1::{
        CameraEvent, ChunkDropped, ChunkReady, ChunkUploaded, DeadLetterDecision, camera_event,
        dead_letter_decision::{Decision, Replayed},
    },
};
use crispy_queue::{SpoolEvent, SpoolEventKind, SpoolEvents};
use crispy_runtime::health::Condition;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::{
    Outbox,
    ledger::{Match, Receipt},
    on_disk,
};
use crate::metrics;

/// Time without an error after which the events' stream counts as available, with none in it.
const QUIET: Duration = Duration::from_secs(2);

/// Pause after an error of the stream.
const RETRY: Duration = Duration::from_secs(1);

/// The end of one attempt to remove a chunk from the spool.
pub(super) struct Freed {
    id: ChunkId,
    /// The commit that was removed.
    committed_us: Option<i64>,
    event: SpoolEvent,
    outcome: anyhow::Result<()>,
}

impl Outbox {
    /// Acts on an event, then acknowledges it. Without its ack it comes again, and with it the next
    /// attempt.
    pub(super) async fn handle(&mut self, event: SpoolEvent) {
        match &event.kind {
            SpoolEventKind::Uploaded(upload) => match self.compare(upload) {
                Some((id, Match::Same)) => return self.free(id, event),
                Some((id, Match::Different)) => self.log_in_trace(&id, || {
                    warn!(
                        chunk = %id,
                        object = upload.object,
                        hint = "compare the object with the spool's file, and find the object's \
                                writer: nothing is overwritten",
                        "bucket holds other bytes, spool keeps its own"
                    );
                }),
                _ => {}
            },
            SpoolEventKind::DeadLetter(letter) if !self.park(letter).await => return,
            SpoolEventKind::Decision(decision) => match self.decision(decision) {
                Some((id, Decision::Dropped(_))) => {
                    let decided_us = decision.ruled_us;
                    return self.drop(id, decided_us, event);
                }
                Some((id, Decision::Replayed(replayed))) => {
                    if !self.unpark(&id).await {
                        return;
                    }
                    self.await_replay(&id, replayed);
                }
                None => {}
            },
            _ => {}
        }
        event.ack().await;
    }

    fn compare(&self, upload: &ChunkUploaded) -> Option<(ChunkId, Match)> {
        let chunk = upload.chunk.as_ref()?;
        let id = ChunkId::from_wire(chunk.id.as_ref()).ok()?;
        let ours = chunk.spool_id == self.spool.id().as_str();
        let found = if ours {
            self.ledger.compare(&id, upload)
        } else {
            Match::Unknown
        };
        Some((id, found))
    }

    /// Removes a chunk that the bucket has.
    fn free(&mut self, id: ChunkId, event: SpoolEvent) {
        let (spool, chunk) = (Arc::clone(&self.spool), id.clone());
        let committed_us = self.ledger.committed_us(&id);
        self.freeing.push(Box::pin(async move {
            let outcome = on_disk(&spool, move |spool| spool.free(&chunk).map(drop)).await;
            Freed {
                id,
                committed_us,
                event,
                outcome,
            }
        }));
    }

    pub(super) async fn freed(&mut self, freed: Freed) {
        let Freed {
            id,
            committed_us,
            event,
            outcome,
        } = freed;
        match outcome {
            Ok(()) => {
                self.health.freeing.met();
                if self.ledger.remove(&id, committed_us) {
                    event.ack().await;
                } else {
                    // Committed again in the meantime: the event may be about that commit too.
                    self.handle(event).await;
                }
            }
            Err(error) => {
                self.log_in_trace(&id, || {
                    error!(
                        chunk = %id,
                        error = format!("{error:#}"),
                        hint = "check the spool's disk: the removal is retried when the upload \
                                event is delivered again",
                        "failed to remove chunk from spool"
                    );
                });
                self.health.freeing.unmet(
                    "chunks that the bucket has cannot be removed: check the spool's disk and \
                     its permissions",
                );
            }
        }
    }

    /// An operator's decision about a chunk of this spool.
    fn decision<'a>(&self, decision: &'a DeadLetterDecision) -> Option<(ChunkId, &'a Decision)> {
        let id = ChunkId::from_wire(decision.chunk.as_ref()).ok()?;
        let ours = decision.spool_id == self.spool.id().as_str();
        if !ours || !self.ledger.tracks(&id, decision.committed_us) {
            return None;
        }
        Some((id, decision.decision.as_ref()?))
    }

    /// Waits for the answer to a chunk that an operator has queued again.
    fn await_replay(&mut self, id: &ChunkId, replayed: &Replayed) {
        self.log_in_trace(id, || info!(chunk = %id, "chunk replayed by operator"));
        let receipt = Receipt {
            message_id: replayed.message_id.clone(),
            sequence: replayed.stream_sequence,
            since: Instant::now(),
        };
        self.ledger.replayed(id, receipt);
    }

    /// Declares the loss of a chunk, and removes its bytes only then.
    fn drop(&mut self, id: ChunkId, decided_us: i64, event: SpoolEvent) {
        self.log_in_trace(&id, || {
            warn!(
                chunk = %id,
                hint = "nothing to do if it was intended: the camera's events declare the loss",
                "chunk dropped by operator"
            );
        });
        let (spool, publisher) = (Arc::clone(&self.spool), self.publisher.clone());
        let subject = self.subjects.events(&id.camera);
        let committed_us = self.ledger.committed_us(&id);
        self.freeing.push(Box::pin(async move {
            let declare = async {
                let (read, removed) = (id.clone(), id.clone());
                let descriptor = on_disk(&spool, move |spool| spool.descriptor(&read));
                let Some(descriptor) = descriptor.await? else {
                    return Ok(());
                };
                let declaration = dropped(descriptor.chunk, decided_us);
                let message_id = format!("event:{id}@{decided_us}");
                publisher
                    .publish(subject, &message_id, &declaration)
                    .await?;
                on_disk(&spool, move |spool| spool.free(&removed)).await?;
                metrics::count_drop(&id.camera, "operator");
                Ok(())
            };
            let outcome = declare.await;
            Freed {
                id,
                committed_us,
                event,
                outcome,
            }
        }));
    }
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

/// The next event, however long the server is unavailable. Cancel safe.
///
/// `answers` shows the stream's state to readiness; `unavailable` is its state in the log.
pub(super) async fn next_event(
    events: &mut SpoolEvents,
    answers: &Condition,
    unavailable: &mut bool,
) -> SpoolEvent {
    let available = |unavailable: &mut bool| {
        answers.met();
        if std::mem::take(unavailable) {
            info!("upload events available again");
        }
    };
    loop {
        let next = tokio::select! {
            next = events.next() => next,
            () = sleep(QUIET) => {
                available(unavailable);
                continue;
            }
        };
        let error = match next {
            Ok(event) => {
                available(unavailable);
                return event;
            }
            Err(error) => error,
        };
        let text = chain(&error);
        warn!(
            error = text,
            hint = "check the NATS server and its streams",
            "upload events unavailable, spool frees nothing"
        );
        if error.kind() != &Kind::Corrupt {
            *unavailable = true;
            answers.unmet(format!(
                "confirmations of uploads are unavailable ({text}): check the NATS server and its \
                 streams"
            ));
            sleep(RETRY).await;
        }
    }
}
