//! The outbox's memory of unconfirmed chunks, and its decisions. Pure.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crispy_proto::{id::ChunkId, v1};

use crate::metrics::Pending;

/// The time without an answer after which a chunk is looked up in the queue.
pub(super) const OVERDUE: Duration = Duration::from_secs(60);

/// Every committed chunk whose upload has not been confirmed.
///
/// * A chunk leaves only by [`Ledger::remove`], when an answer with its size and its checksum has
///   come: the spool is the source of truth.
/// * Its memory is bounded by the spool's limit: some 200 bytes a chunk, and 100 more where traces
///   are made. Descriptors stay on the disk.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: BTreeMap<ChunkId, Entry>,
    unsent: VecDeque<ChunkId>,
}

#[derive(Debug)]
struct Entry {
    size: u64,
    sha256: Vec<u8>,
    /// The commit of the chunk: an operator's decision about an earlier one does not concern it.
    committed_us: i64,
    /// The span of its cut; empty without traces.
    traceparent: Box<str>,
    /// The number of resends, each under an id of its own.
    resent: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waits for its turn, or is being published.
    Sending,
    /// In the queue, as far as we know.
    Sent(Receipt),
    /// An uploader gave it up. Kept, and not sent again until an operator decides.
    Parked,
}

/// The place of a descriptor in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// Its message id.
    pub message_id: String,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// The start of the wait for an answer.
    pub since: Instant,
}

/// A comparison of an uploaded object with the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// The bucket has the spool's bytes: free them.
    Same,
    /// The bucket has other bytes: keep the spool's, and warn.
    Different,
    /// The chunk is not (or no longer) in this spool.
    Unknown,
}

impl Ledger {
    /// Adds a committed chunk. It is being published, or [queued](Self::enqueue) next.
    pub(super) fn track(&mut self, id: ChunkId, chunk: &v1::ChunkReady) {
        let entry = Entry {
            size: chunk.size,
            sha256: chunk.sha256.clone(),
            committed_us: chunk.committed_us,
            traceparent: chunk.traceparent.as_str().into(),
            resent: 0,
            state: State::Sending,
        };
        self.entries.insert(id, entry);
    }

    /// Has a chunk published from the spool when its turn comes.
    pub(super) fn enqueue(&mut self, id: ChunkId) {
        self.unsent.push_back(id);
    }

    /// True if any chunk is queued.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// The next queued chunk, and the number of its resends.
    pub(super) fn next_unsent(&mut self) -> Option<(ChunkId, u32)> {
        while let Some(id) = self.unsent.pop_front() {
            // An answer may have come while it waited: an earlier process had sent it.
            if let Some(Entry {
                resent,
                state: State::Sending,
                ..
            }) = self.entries.get(&id)
            {
                return Some((id, *resent));
            }
        }
        None
    }

    /// Marks a chunk as queued, unless it was parked in the meantime: a dead letter may come before
    /// the stream's answer.
    pub(super) fn mark_sent(&mut self, id: &ChunkId, receipt: Receipt) {
        if let Some(entry) = self
            .entries
            .get_mut(id)
            .filter(|entry| matches!(entry.state, State::Sending))
        {
            entry.state = State::Sent(receipt);
        }
    }

    /// Queues a chunk again, under another id: it is nowhere in the queue.
    pub(super) fn resend(&mut self, id: &ChunkId) {
        if let Some(entry) = self
            .entries
            .get_mut(id)
            .filter(|entry| !matches!(entry.state, State::Parked))
        {
            entry.resent += 1;
            entry.state = State::Sending;
            self.unsent.push_back(id.clone());
        }
    }

    /// The place of a chunk in the queue; `None` if it is not there, parked, or unknown.
    pub(super) fn receipt(&self, id: &ChunkId) -> Option<&Receipt> {
        match &self.entries.get(id)?.state {
            State::Sent(receipt) => Some(receipt),
            State::Sending | State::Parked => None,
        }
    }

    /// Restarts the wait for an answer: the chunk is still in the queue.
    pub(super) fn still_queued(&mut self, id: &ChunkId, now: Instant) {
        if let Some(Entry {
            state: State::Sent(receipt),
            ..
        }) = self.entries.get_mut(id)
        {
            receipt.since = now;
        }
    }

    /// Chunks that have waited longer than [`OVERDUE`], with their receipts.
    pub(super) fn overdue(&self, now: Instant) -> Vec<(ChunkId, Receipt)> {
        let late = |receipt: &&Receipt| now.saturating_duration_since(receipt.since) >= OVERDUE;
        let sent = self
            .entries
            .iter()
            .filter_map(|(id, entry)| match &entry.state {
                State::Sent(receipt) => Some(receipt)
                    .filter(late)
                    .map(|receipt| (id.clone(), receipt.clone())),
                _ => None,
            });
        sent.collect()
    }

    /// Compares an uploaded object with the chunk in the spool.
    pub(super) fn compare(&self, id: &ChunkId, upload: &v1::ChunkUploaded) -> Match {
        match self.entries.get(id) {
            None => Match::Unknown,
            Some(entry) if entry.size == upload.size && entry.sha256 == upload.sha256 => {
                Match::Same
            }
            Some(_) => Match::Different,
        }
    }

    /// Time of a chunk's commit, in Unix microseconds; `None` if it is not here.
    pub(super) fn committed_us(&self, id: &ChunkId) -> Option<i64> {
        self.entries.get(id).map(|entry| entry.committed_us)
    }

    /// Removes a commit of a chunk that has left the spool. False if that commit is not here: the
    /// same source, recorded again, may have committed the chunk again in the meantime.
    pub(super) fn remove(&mut self, id: &ChunkId, committed_us: Option<i64>) -> bool {
        let same = self.committed_us(id) == committed_us;
        same && self.entries.remove(id).is_some()
    }

    /// Parks a chunk. False if it is not here, or was parked before.
    pub(super) fn park(&mut self, id: &ChunkId) -> bool {
        match self.entries.get_mut(id) {
            Some(entry) if !matches!(entry.state, State::Parked) => {
                entry.state = State::Parked;
                true
            }
            _ => false,
        }
    }

    /// The span of a chunk's cut; empty where it is not known.
    pub(super) fn traceparent(&self, id: &ChunkId) -> &str {
        self.entries.get(id).map_or("", |entry| &entry.traceparent)
    }

    /// True if this commit of the chunk is here.
    pub(super) fn tracks(&self, id: &ChunkId, committed_us: i64) -> bool {
        self.entries
            .get(id)
            .is_some_and(|entry| entry.committed_us == committed_us)
    }

    /// Marks a chunk as queued by an operator. Its answer is awaited as that of our own message.
    pub(super) fn replayed(&mut self, id: &ChunkId, receipt: Receipt) {
        if let Some(entry) = self.entries.get_mut(id) {
            // Our next message must not be taken for the one before the replay.
            entry.resent += 1;
            entry.state = State::Sent(receipt);
        }
    }

    /// True if it is here and parked.
    pub(super) fn is_parked(&self, id: &ChunkId) -> bool {
        self.entries
            .get(id)
            .is_some_and(|entry| matches!(entry.state, State::Parked))
    }

    /// Parked chunks, and the commit of each.
    pub(super) fn parked(&self) -> impl Iterator<Item = (&ChunkId, i64)> {
        let parked = |(id, entry)| match entry {
            &Entry {
                state: State::Parked,
                committed_us,
                ..
            } => Some((id, committed_us)),
            _ => None,
        };
        self.entries.iter().filter_map(parked)
    }

    /// The number of parked chunks.
    pub(super) fn parked_count(&self) -> usize {
        self.parked().count()
    }

    /// Its numbers, for metrics.
    pub(super) fn pending(&self) -> Pending {
        Pending {
            waiting: self.waiting(),
            parked: self.parked_count(),
            oldest_us: self
                .entries
                .values()
                .filter(|entry| !matches!(entry.state, State::Parked))
                .map(|entry| entry.committed_us)
                .min(),
        }
    }

    /// The number of chunks that may still be confirmed.
    pub(super) fn waiting(&self) -> usize {
        self.entries.len() - self.parked_count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_proto::id::Run;

    fn id(sequence: u64) -> ChunkId {
        ChunkId {
            camera: "demo/front".parse().unwrap(),
            run: Run::new(1, [0; 10]),
            sequence,
        }
    }

    fn chunk() -> v1::ChunkReady {
        v1::ChunkReady {
            size: 10,
            sha256: vec![1; 32],
            ..Default::default()
        }
    }

    fn answer(size: u64, sha: u8) -> v1::ChunkUploaded {
        v1::ChunkUploaded {
            size,
            sha256: vec![sha; 32],
            ..Default::default()
        }
    }

    fn receipt(since: Instant) -> Receipt {
        Receipt {
            message_id: "m".into(),
            sequence: 7,
            since,
        }
    }

    fn ledger_with_one() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.track(id(0), &chunk());
        ledger.enqueue(id(0));
        ledger
    }

    #[test]
    fn a_chunk_is_freed_only_for_its_own_size_and_checksum() {
        let ledger = ledger_with_one();
        assert_eq!(ledger.compare(&id(0), &answer(10, 1)), Match::Same);
        assert_eq!(ledger.compare(&id(0), &answer(11, 1)), Match::Different);
        assert_eq!(ledger.compare(&id(0), &answer(10, 2)), Match::Different);
        assert_eq!(ledger.compare(&id(1), &answer(10, 1)), Match::Unknown);
    }

    #[test]
    fn a_chunk_is_kept_until_it_is_removed() {
        let mut ledger = ledger_with_one();
        assert_eq!(ledger.next_unsent(), Some((id(0), 0)));
        assert_eq!(ledger.next_unsent(), None);
        ledger.mark_sent(&id(0), receipt(Instant::now()));
        assert_eq!(ledger.waiting(), 1);
        let commit = ledger.committed_us(&id(0));
        assert!(ledger.remove(&id(0), commit));
        assert_eq!(ledger.waiting(), 0);
    }

    #[test]
    fn a_later_commit_of_a_chunk_outlives_the_removal_of_an_earlier_one() {
        let mut ledger = ledger_with_one();
        let commit = ledger.committed_us(&id(0));
        let again = v1::ChunkReady {
            committed_us: 7,
            ..chunk()
        };
        ledger.track(id(0), &again);
        assert!(!ledger.remove(&id(0), commit));
        assert_eq!(ledger.committed_us(&id(0)), Some(7));
    }

    #[test]
    fn a_chunk_published_from_memory_is_not_queued() {
        let mut ledger = Ledger::default();
        ledger.track(id(0), &chunk());
        assert!(!ledger.has_unsent());
        ledger.mark_sent(&id(0), receipt(Instant::now()));
        assert_eq!((ledger.next_unsent(), ledger.waiting()), (None, 1));
    }

    #[test]
    fn an_answer_before_its_turn_saves_the_publishing() {
        let mut ledger = ledger_with_one();
        let commit = ledger.committed_us(&id(0));
        assert!(ledger.remove(&id(0), commit));
        assert_eq!(ledger.next_unsent(), None);
    }

    #[test]
    fn overdue_chunks_are_looked_up_once_a_minute() {
        let (mut ledger, start) = (ledger_with_one(), Instant::now());
        ledger.mark_sent(&id(0), receipt(start));
        assert!(ledger.overdue(start + OVERDUE / 2).is_empty());
        assert_eq!(
            ledger.overdue(start + OVERDUE),
            vec![(id(0), receipt(start))]
        );
        ledger.still_queued(&id(0), start + OVERDUE);
        assert!(ledger.overdue(start + OVERDUE * 3 / 2).is_empty());
    }

    #[test]
    fn each_resend_has_its_own_number() {
        let mut ledger = ledger_with_one();
        ledger.next_unsent();
        ledger.resend(&id(0));
        assert_eq!(ledger.next_unsent(), Some((id(0), 1)));
        ledger.resend(&id(0));
        assert_eq!(ledger.next_unsent(), Some((id(0), 2)));
    }

    #[test]
    fn a_replayed_chunk_is_awaited_and_resent_if_lost() {
        let (mut ledger, start) = (ledger_with_one(), Instant::now());
        ledger.next_unsent();
        ledger.park(&id(0));
        assert!(ledger.tracks(&id(0), 0) && !ledger.tracks(&id(0), 1) && !ledger.tracks(&id(1), 0));
        ledger.replayed(&id(0), receipt(start));
        assert_eq!((ledger.waiting(), ledger.parked_count()), (1, 0));
        assert_eq!(ledger.overdue(start + OVERDUE).len(), 1);
        ledger.resend(&id(0));
        assert_eq!(ledger.next_unsent(), Some((id(0), 2)));
    }

    #[test]
    fn a_chunk_parked_before_its_stream_answers_stays_parked() {
        let mut ledger = ledger_with_one();
        ledger.next_unsent();
        ledger.park(&id(0));
        ledger.mark_sent(&id(0), receipt(Instant::now()));
        assert!(ledger.is_parked(&id(0)));
        assert_eq!(Vec::from_iter(ledger.parked()), [(&id(0), 0)]);
    }

    #[test]
    fn a_parked_chunk_is_kept_and_not_sent() {
        let mut ledger = ledger_with_one();
        assert!(ledger.park(&id(0)) && !ledger.park(&id(0)) && !ledger.park(&id(1)));
        ledger.resend(&id(0));
        assert_eq!(
            (
                ledger.next_unsent(),
                ledger.waiting(),
                ledger.parked_count()
            ),
            (None, 0, 1)
        );
        assert_eq!(
            ledger.compare(&id(0), &answer(10, 1)),
            Match::Same,
            "a replay may still succeed"
        );
    }
}
