//! Settling: what an answer means for the spool.

use std::{sync::Arc, time::Duration};

use proto::{
    id::ChunkId,
    v1::{ChunkReady, ChunkUploaded, DeadLetter},
};
use queue::{Answer, Answers, AnswersError, Message, Notice, Stage};
use tokio::time::sleep;
use tracing::{error, warn};

use super::{Outbox, ledger::Verdict};

/// A chunk that left the spool, or could not.
pub(super) struct Freed {
    id: ChunkId,
    answer: Answer,
    outcome: anyhow::Result<()>,
}

impl Outbox {
    pub(super) async fn answered(&mut self, answer: Answer) {
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
                self.ledger.settle(&id);
                answer.ack().await;
            }
            // Not acknowledged: the answer comes again, and with it the next attempt.
            Err(error) => {
                error!(chunk = %id, error = format!("{error:#}"), "a chunk is in the bucket and cannot be removed from the spool: check its disk");
            }
        }
    }

    /// What an inspector gave up is in the bucket, and no business of the spool.
    fn park(&mut self, letter: &DeadLetter) {
        if letter.stage != Stage::Uploader.as_str() {
            return;
        }
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
}

/// The next answer, however long the server is away. Cancel safe.
pub(super) async fn next_answer(answers: &mut Answers) -> Answer {
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
