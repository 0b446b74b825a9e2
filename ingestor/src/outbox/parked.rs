//! Parked: what an uploader gave up stays in the spool, marked, until an operator decides about it.
//!
//! ```text
//!   DeadLetter ──► mark beside the chunk (fsync) ──► ack          a start finds the mark, and sends nothing
//!   replayed ────► mark removed (fsync) ──► waited for again      dropped ──► declared, then freed, mark and all
//!   letter gone from its stream, and nobody has ruled? ──► published again from the mark
//! ```
//!
//! An operator reaches a parked chunk by its dead letter alone. A queue that was wiped has lost the letters, and each of them ends with its
//! stream's 30 days; so whoever keeps the bytes sees to it that there is a letter.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crispy_proto::{
    id::ChunkId,
    v1::{ChunkReady, DeadLetter},
};
use crispy_queue::{
    Connection, DeadLetterFilter, DeadLetters, Decode, Message, SpoolEvents, Stage, Stream,
    message_id,
};
use crispy_spool::{ParkError, Spool};
use tracing::{error, info, warn};

use super::Outbox;

/// How often letters are looked for in a stream that is still the same: they may be removed one by one, or by age.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// What is known of the letters of parked chunks.
#[derive(Debug)]
pub(super) struct Letters {
    /// Each was there, or was published again: at the latest look, when their stream had been created at this time (Unix microseconds).
    seen: Option<(Instant, i64)>,
    /// There may be marks whose letters nobody has looked for.
    unsure: bool,
}

/// The result of a look.
pub(super) struct Looked {
    created_us: i64,
    /// Chunks without a letter, and which commit of each.
    without: BTreeMap<ChunkId, i64>,
}

impl Letters {
    /// `marks`: an earlier process has left some.
    pub(super) fn of_an_earlier_start(marks: bool) -> Self {
        Self {
            seen: None,
            unsure: marks,
        }
    }

    /// Whether there is a letter for each mark, or one is on its way.
    pub(super) fn are_known(&self) -> bool {
        !self.unsure
    }

    fn is_due(&self, created_us: i64) -> bool {
        let fresh = self
            .seen
            .is_some_and(|(at, created)| created == created_us && at.elapsed() < LOOK_AGAIN);
        self.unsure || !fresh
    }
}

impl Outbox {
    /// Keeps a chunk that was given up. False where its mark could not be written: the letter must come again.
    ///
    /// What an inspector gave up is in the bucket, and no business of the spool.
    pub(super) async fn park(&mut self, letter: &DeadLetter) -> bool {
        let Some(id) = self.given_up(letter) else {
            return true;
        };
        if self.ledger.park(&id) {
            self.about(&id, || error!(chunk = %id, reason = letter.reason, "a chunk was given up; its bytes stay in the spool: mend the reason, then `crispy dead replay`"));
        }
        if self.spool.is_parked(&id) {
            return true;
        }
        let (chunk, letter) = (id.clone(), letter.clone());
        let marked = self.on_disk(move |spool| spool.park(&chunk, &letter)).await;
        self.is_written(&id, marked)
    }

    /// Takes the mark off a chunk that was sent again. False where that failed: the word must come again.
    pub(super) async fn unpark(&mut self, id: &ChunkId) -> bool {
        let chunk = id.clone();
        let unmarked = self.on_disk(move |spool| spool.unpark(&chunk)).await;
        self.is_written(id, unmarked)
    }

    /// Waited for, so that word after word about one chunk is acted on in order.
    async fn on_disk(
        &self,
        act: impl FnOnce(&Spool) -> Result<bool, ParkError> + Send + 'static,
    ) -> anyhow::Result<()> {
        let spool = Arc::clone(&self.spool);
        tokio::task::spawn_blocking(move || act(&spool)).await??;
        Ok(())
    }

    /// Whether a mark is as it should be; where it is not, that is logged.
    fn is_written(&self, id: &ChunkId, done: anyhow::Result<()>) -> bool {
        if let Err(error) = &done {
            self.about(id, || error!(chunk = %id, error = format!("{error:#}"), "whether a chunk is parked cannot be written down: check the spool's disk; tried again in half a minute"));
        }
        done.is_ok()
    }

    /// The chunk that a letter is about, if this very commit of it is owed.
    fn given_up(&self, letter: &DeadLetter) -> Option<ChunkId> {
        if letter.stage != Stage::Uploader.as_str() {
            return None;
        }
        let chunk = <ChunkReady as Decode>::decode(ChunkReady::TYPE, &letter.payload).ok()?;
        let id = ChunkId::from_wire(chunk.id.as_ref()).ok()?;
        let ours = chunk.spool_id == self.spool.id().as_str();
        (ours && self.ledger.owes(&id, chunk.committed_us)).then_some(id)
    }

    /// Begins to look for the letters of all that is parked, where that is due.
    pub(super) async fn look_for_letters(&mut self) {
        if self.ledger.parked() == 0 {
            self.letters.unsure = false;
            return;
        }
        // A server that does not reply, or has no such stream, is asked again later.
        let Ok(created_us) = self.connection.stream_created(Stream::Dead).await else {
            return;
        };
        if !self.looking.is_empty() || !self.letters.is_due(created_us) {
            return;
        }
        let parked = self.ledger.all_parked();
        let without = parked.map(|(id, committed)| (id.clone(), committed));
        let looking = look(self.connection.clone(), created_us, without.collect());
        self.looking.push(Box::pin(looking));
    }

    /// Publishes again what was not found. An operator's word that is still on its way explains an absence: then it is looked again.
    pub(super) async fn looked_for_letters(
        &mut self,
        looked: Option<Looked>,
        answers: &SpoolEvents,
    ) {
        let Some(Looked {
            created_us,
            without,
        }) = looked
        else {
            return;
        };
        if !matches!(answers.pending().await, Ok(0)) {
            return;
        }
        self.letters.seen = Some((Instant::now(), created_us));
        self.letters.unsure = false;
        for id in without.into_keys() {
            if self.ledger.is_parked(&id) {
                self.publish_letter(id);
            }
        }
    }

    fn publish_letter(&mut self, id: ChunkId) {
        let letter = match self.spool.mark(&id) {
            Ok(Some(letter)) => letter,
            Ok(None) => return,
            Err(error) => {
                let error = anyhow::Error::new(error);
                self.about(&id, || error!(chunk = %id, error = format!("{error:#}"), "a chunk is parked and its dead letter lost: remove this file and start again, and it is sent again"));
                return;
            }
        };
        self.about(&id, || warn!(chunk = %id, reason = letter.reason, "the queue has lost the dead letter of a parked chunk: published again, see `crispy dead list`"));
        let subject = self.subjects.dead(Stage::Uploader, &id.camera);
        let message_id = message_id::dead(
            Stage::Uploader,
            letter.stream_created_us,
            letter.stream_sequence,
        );
        self.announce(Some(subject), message_id, Box::new(letter));
    }
}

/// Reads the letters, and leaves those chunks that none is about; `None` where they cannot be read.
async fn look(
    connection: Connection,
    created_us: i64,
    mut without: BTreeMap<ChunkId, i64>,
) -> Option<Looked> {
    let plot = DeadLetterFilter {
        stage: Some(Stage::Uploader),
        ..DeadLetterFilter::default()
    };
    let letters = DeadLetters::new(&connection);
    let read = letters.each(&plot, |buried| {
        let Some(chunk) = buried.kept_chunk() else {
            return;
        };
        if let Ok(id) = ChunkId::from_wire(chunk.id.as_ref())
            && without.get(&id) == Some(&chunk.committed_us)
        {
            without.remove(&id);
        }
    });
    if let Err(error) = read.await {
        info!(%error, "dead letters cannot be read for now; tried again");
        return None;
    }
    Some(Looked {
        created_us,
        without,
    })
}
