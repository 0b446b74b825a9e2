//! Look-ups of overdue chunks: still in the queue, or to be sent again.
//!
//! They run beside the outbox's loop, which receives from the cameras: a server that does not reply
//! must not hold up a recording.

use std::time::Instant;

use crispy_proto::id::ChunkId;
use crispy_queue::{Connection, PendingEvents, Stream};
use tracing::info;

use super::{Outbox, ledger::Receipt};

/// Chunks of one look-up, asked about one after another.
const BATCH: usize = 256;

/// What the server knows of an overdue chunk.
pub(super) struct LookedUp {
    id: ChunkId,
    receipt: Receipt,
    /// It is still in the queue.
    queued: bool,
}

impl Outbox {
    /// Starts a look-up of chunks without an answer, unless there are none or one runs already.
    pub(super) fn look_up_overdue(&mut self, pending: &PendingEvents) {
        if !self.looking_up.is_empty() {
            return;
        }
        let mut overdue = self.ledger.overdue(Instant::now());
        overdue.truncate(BATCH);
        if !overdue.is_empty() {
            let look_up = look_up(self.connection.clone(), pending.clone(), overdue);
            self.looking_up.push(Box::pin(look_up));
        }
    }

    /// Resends the chunks that are nowhere, and goes on with the next ones. A look-up without
    /// results waits for the next check instead.
    pub(super) fn looked_up(&mut self, results: Vec<LookedUp>, pending: &PendingEvents) {
        let more = !results.is_empty();
        for LookedUp {
            id,
            receipt,
            queued,
        } in results
        {
            if self.ledger.receipt(&id) != Some(&receipt) {
                // Answered, parked or replayed in the meantime.
            } else if queued {
                self.ledger.still_queued(&id, Instant::now());
            } else {
                self.log_in_trace(
                    &id,
                    || info!(chunk = %id, "chunk not in queue and not confirmed, resending"),
                );
                self.ledger.resend(&id);
            }
        }
        if more {
            self.look_up_overdue(pending);
        }
    }
}

/// Ends at the first failure: the next check asks again.
async fn look_up(
    connection: Connection,
    pending: PendingEvents,
    overdue: Vec<(ChunkId, Receipt)>,
) -> Vec<LookedUp> {
    let mut results = Vec::new();
    // An answer on its way explains everything. A server that does not reply explains nothing.
    if !matches!(pending.count().await, Ok(0)) {
        return results;
    }
    for (id, receipt) in overdue {
        let queued = connection.is_queued(Stream::Chunks, receipt.sequence, &receipt.message_id);
        let Ok(queued) = queued.await else {
            break;
        };
        results.push(LookedUp {
            id,
            receipt,
            queued,
        });
    }
    results
}
