//! Parked chunks: dead-lettered by an uploader, they stay in the spool with a marker until an
//! operator decides.
//!
//! ```text
//!   DeadLetter ─► marker beside the chunk (fsync) ─► ack       a start finds it, and sends nothing
//!   replayed ───► marker removed (fsync) ─► awaited again      dropped ─► declared, then freed
//!   letter gone from its stream without a decision? ─► published again from the marker
//! ```
//!
//! An operator reaches a parked chunk only by its dead letter. A wiped queue has lost the letters,
//! and each of them ends with its stream's 30 days; so the owner of the bytes makes sure that there
//! is a letter.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crispy_fault::chain;
use crispy_proto::{
    id::ChunkId,
    v1::{ChunkReady, DeadLetter},
};
use crispy_queue::{
    Connection, DeadLetterFilter, DeadLetters, Decode, Message, PendingEvents, Stage, Stream,
    message_id,
};
use tracing::{error, info, warn};

use super::{Outbox, on_disk};

/// Interval of searches in an unchanged stream: letters may be removed one by one, or by age.
const SEARCH: Duration = Duration::from_secs(3600);

/// The state of the letters of parked chunks.
#[derive(Clone, Debug)]
pub(super) struct Letters {
    /// The last search that found or published each of them, and the creation time of their stream
    /// (Unix microseconds) then.
    found: Option<(Instant, i64)>,
    /// There may be markers whose letters have not been searched for.
    unsure: bool,
}

/// The result of a search.
pub(super) struct LetterSearch {
    created_us: i64,
    /// Chunks without a letter, and the commit of each.
    missing: BTreeMap<ChunkId, i64>,
}

impl Letters {
    /// `markers`: an earlier process has left some.
    pub(super) fn new(markers: bool) -> Self {
        Self {
            found: None,
            unsure: markers,
        }
    }

    /// True if each marker has a letter, or one that is being published.
    pub(super) fn are_known(&self) -> bool {
        !self.unsure
    }

    fn is_due(&self, created_us: i64) -> bool {
        let fresh = self
            .found
            .is_some_and(|(at, created)| created == created_us && at.elapsed() < SEARCH);
        self.unsure || !fresh
    }
}

impl Outbox {
    /// Parks a dead-lettered chunk. False where its marker could not be written: the letter must
    /// come again.
    ///
    /// Chunks that an inspector gave up are in the bucket, and do not concern the spool.
    pub(super) async fn park(&mut self, letter: &DeadLetter) -> bool {
        let Some(id) = self.parked_chunk(letter) else {
            return true;
        };
        if self.ledger.park(&id) {
            self.log_in_trace(&id, || {
                error!(
                    chunk = %id,
                    reason = letter.reason,
                    hint = "fix the reason, then run `crispy dead replay`",
                    "chunk dead-lettered, parked in spool"
                );
            });
        }
        if self.spool.is_parked(&id) {
            return true;
        }
        let (chunk, letter) = (id.clone(), letter.clone());
        let marked = on_disk(&self.spool, move |spool| spool.park(&chunk, &letter)).await;
        self.is_written(&id, marked)
    }

    /// Removes the marker of a replayed chunk. False where that failed: the event must come again.
    ///
    /// Waited for, as in [`park`](Self::park), so that events about one chunk take effect in order.
    pub(super) async fn unpark(&mut self, id: &ChunkId) -> bool {
        let chunk = id.clone();
        let unmarked = on_disk(&self.spool, move |spool| spool.unpark(&chunk)).await;
        self.is_written(id, unmarked)
    }

    fn is_written(&self, id: &ChunkId, written: anyhow::Result<bool>) -> bool {
        if let Err(error) = &written {
            self.log_in_trace(id, || {
                error!(
                    chunk = %id,
                    error = format!("{error:#}"),
                    hint = "check the spool's disk",
                    "failed to update parked marker, retrying in 30 s"
                );
            });
        }
        written.is_ok()
    }

    /// The chunk of a letter, if this very commit of it is here.
    fn parked_chunk(&self, letter: &DeadLetter) -> Option<ChunkId> {
        if letter.stage != Stage::Uploader.as_str() {
            return None;
        }
        let chunk = <ChunkReady as Decode>::decode(ChunkReady::TYPE, &letter.payload).ok()?;
        let id = ChunkId::from_wire(chunk.id.as_ref()).ok()?;
        let ours = chunk.spool_id == self.spool.id().as_str();
        (ours && self.ledger.tracks(&id, chunk.committed_us)).then_some(id)
    }

    /// Starts a search for the letters of all parked chunks, unless one runs already.
    pub(super) fn search_letters(&mut self, pending: &PendingEvents) {
        if self.ledger.parked_count() == 0 {
            self.letters.unsure = false;
            return;
        }
        if !self.searching.is_empty() {
            return;
        }
        let parked = self.ledger.parked();
        let missing = parked.map(|(id, committed)| (id.clone(), committed));
        let search = search(
            self.connection.clone(),
            self.letters.clone(),
            pending.clone(),
            missing.collect(),
        );
        self.searching.push(Box::pin(search));
    }

    /// Publishes the missing letters again.
    pub(super) async fn finish_search(&mut self, search: Option<LetterSearch>) {
        let Some(LetterSearch {
            created_us,
            missing,
        }) = search
        else {
            return;
        };
        self.letters.found = Some((Instant::now(), created_us));
        self.letters.unsure = false;
        for id in missing.into_keys() {
            if self.ledger.is_parked(&id) {
                self.publish_letter(id).await;
            }
        }
    }

    async fn publish_letter(&mut self, id: ChunkId) {
        let chunk = id.clone();
        let letter = match on_disk(&self.spool, move |spool| spool.dead_letter(&chunk)).await {
            Ok(Some(letter)) => letter,
            Ok(None) => return,
            Err(error) => {
                self.log_in_trace(&id, || {
                    error!(
                        chunk = %id,
                        error = format!("{error:#}"),
                        hint = "remove the file that the error names, and restart: then the \
                                chunk is sent again",
                        "parked chunk has lost its dead letter"
                    );
                });
                return;
            }
        };
        self.log_in_trace(&id, || {
            warn!(
                chunk = %id,
                reason = letter.reason,
                hint = "see `crispy dead list`",
                "dead letter lost from queue, publishing it again"
            );
        });
        let subject = self.subjects.dead(Stage::Uploader, &id.camera);
        let message_id = message_id::dead(
            Stage::Uploader,
            letter.stream_created_us,
            letter.stream_sequence,
        );
        self.announce(Some(subject), message_id, Box::new(letter));
    }
}

/// Reads the letters, and keeps in `missing` the chunks without one. `None` if the search is not
/// due, if they cannot be read, or if a decision on its way may explain an absence: the next check
/// asks again.
async fn search(
    connection: Connection,
    known: Letters,
    pending: PendingEvents,
    mut missing: BTreeMap<ChunkId, i64>,
) -> Option<LetterSearch> {
    let created_us = connection.stream_created(Stream::Dead).await.ok()?;
    if !known.is_due(created_us) {
        return None;
    }
    let filter = DeadLetterFilter {
        stage: Some(Stage::Uploader),
        ..DeadLetterFilter::default()
    };
    let letters = DeadLetters::new(&connection);
    let read = letters.each(&filter, |letter| {
        let Some(chunk) = letter.kept_chunk() else {
            return;
        };
        if let Ok(id) = ChunkId::from_wire(chunk.id.as_ref())
            && missing.get(&id) == Some(&chunk.committed_us)
        {
            missing.remove(&id);
        }
    });
    if let Err(error) = read.await {
        info!(
            error = chain(&error),
            "failed to read dead letters, retrying"
        );
        return None;
    }
    let explained = !matches!(pending.count().await, Ok(0));
    (!explained).then_some(LetterSearch {
        created_us,
        missing,
    })
}
