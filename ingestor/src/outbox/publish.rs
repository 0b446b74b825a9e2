//! Publishing of descriptors: fresh ones from memory, the others from the spool, each under the id
//! of its attempt.

use std::{sync::Arc, time::Instant};

use crispy_jetstream::Published;
use crispy_proto::{id::ChunkId, v1::ChunkReady};
use crispy_queue::{Publisher, Subject, message_id};
use crispy_runtime::logging::CHUNKS;
use crispy_spool::Descriptor;
use tracing::{debug, error};

use super::{Outbox, ledger::Receipt, on_disk};

/// Descriptors that are published at once: the publisher's own window, so that none waits outside
/// it with a copy in memory.
pub(super) const PUBLISHING: usize = 64;

/// The end of one attempt to publish a descriptor.
pub(super) struct PublishResult {
    id: ChunkId,
    message_id: String,
    /// `None`: the spool no longer has the chunk.
    outcome: anyhow::Result<Option<Published>>,
}

impl Outbox {
    /// Publishes a chunk that was committed just now.
    pub(super) fn publish_fresh(&mut self, id: ChunkId, descriptor: Descriptor) {
        let publisher = self.publisher.clone();
        let subject = self.subjects.chunks(&id.camera);
        self.publishing.push(Box::pin(async move {
            let message_id = message_id::ready(&descriptor.chunk);
            let published = publish(&publisher, subject, &message_id, &descriptor).await;
            PublishResult {
                id,
                message_id,
                outcome: published.map(Some),
            }
        }));
    }

    /// Publishes queued chunks, read from the spool, up to the window.
    pub(super) fn publish_unsent(&mut self) {
        while self.publishing.len() < PUBLISHING {
            let Some((id, resent)) = self.ledger.next_unsent() else {
                return;
            };
            let (spool, publisher) = (Arc::clone(&self.spool), self.publisher.clone());
            let subject = self.subjects.chunks(&id.camera);
            self.publishing.push(Box::pin(async move {
                let wanted = id.clone();
                let mut message_id = String::new();
                let outcome = async {
                    let read = on_disk(&spool, move |spool| spool.descriptor(&wanted));
                    let Some(descriptor) = read.await? else {
                        return Ok(None);
                    };
                    message_id = attempt_id(&descriptor.chunk, resent);
                    let published = publish(&publisher, subject, &message_id, &descriptor);
                    published.await.map(Some)
                };
                let outcome = outcome.await;
                PublishResult {
                    id,
                    message_id,
                    outcome,
                }
            }));
        }
    }

    /// Records the end of an attempt.
    pub(super) fn published(&mut self, result: PublishResult) {
        let PublishResult {
            id,
            message_id,
            outcome,
        } = result;
        let sequence = match outcome {
            Ok(Some(published)) => published.sequence,
            Ok(None) => {
                self.ledger.remove(&id, self.ledger.committed_us(&id));
                return;
            }
            Err(error) => {
                self.log_in_trace(&id, || {
                    error!(
                        chunk = %id,
                        error = format!("{error:#}"),
                        hint = "fix the error: the chunk stays in the spool until then",
                        "failed to publish chunk, retrying in a minute"
                    );
                });
                0
            }
        };
        self.log_in_trace(
            &id,
            || debug!(target: CHUNKS, chunk = %id, sequence, "published"),
        );
        self.ledger.mark_sent(
            &id,
            Receipt {
                message_id,
                sequence,
                since: Instant::now(),
            },
        );
    }
}

/// Publishes the committed bytes, in the trace of the cut: one chunk has one trace, also when
/// another process sends it again.
async fn publish(
    publisher: &Publisher,
    subject: Subject,
    message_id: &str,
    descriptor: &Descriptor,
) -> anyhow::Result<Published> {
    let chunk = &descriptor.chunk;
    let cut = Some(chunk.traceparent.as_str()).filter(|cut| !cut.is_empty());
    let encoded = descriptor.encoded.clone();
    let published = publisher.publish_encoded(subject, message_id, chunk, encoded, cut);
    Ok(published.await?)
}

/// Each deliberate attempt has an id of its own: the server must not take it for the one before.
fn attempt_id(chunk: &ChunkReady, resent: u32) -> String {
    let id = message_id::ready(chunk);
    if resent == 0 {
        id
    } else {
        message_id::resend(&id, resent)
    }
}
