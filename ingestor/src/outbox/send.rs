//! Sending: a descriptor from the spool into the queue, under an id that says which sending it is.

use std::{sync::Arc, time::Instant};

use crispy_jetstream::{PublishError, Published};
use crispy_proto::{id::ChunkId, v1::ChunkReady};
use crispy_queue::message_id;
use crispy_runtime::logging::CHUNKS;
use crispy_spool::DescriptorError;
use tracing::{debug, error};

use super::{Outbox, ledger::Receipt};

/// Descriptors that are published at once: the publisher's own window, so that none of them waits with a copy in its hand.
const PUBLISHING: usize = 64;

/// A descriptor that was published, or could not be.
pub(super) struct Sent {
    id: ChunkId,
    message_id: String,
    outcome: Result<Published, SendError>,
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

impl Outbox {
    pub(super) fn publish_what_waits(&mut self) {
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
                        // One chunk, one trace: also when it is sent again, and by another process than the one that cut it.
                        let cut = Some(chunk.traceparent.as_str()).filter(|cut| !cut.is_empty());
                        let published = publisher
                            .publish_from(subject, &message_id, &chunk, cut)
                            .await;
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

    pub(super) fn sent(
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
                self.about(&id, || error!(chunk = %id, error = format!("{error:#}"), "a chunk is not published and stays in the spool: see to what the error names; tried again in a minute"));
                0
            }
        };
        self.about(
            &id,
            || debug!(target: CHUNKS, chunk = %id, sequence, "published"),
        );
        self.ledger.sent(
            &id,
            Receipt {
                message_id,
                sequence,
                since,
            },
        );
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
