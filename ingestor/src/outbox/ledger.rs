//! What is still owed an answer: the outbox's memory, and its decisions. Pure.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crispy_proto::{id::ChunkId, v1};

use crate::owed::Owed;

/// How long an answer may take before the ledger wants to know where the chunk is.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Every committed chunk whose upload has not been confirmed.
///
/// * A chunk leaves only by [`Ledger::settle`], when an answer with its size and its checksum has come: the spool is the truth.
/// * Its memory is bounded by the spool's limit: some 200 bytes a chunk, and 100 more where traces are made.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    entries: BTreeMap<ChunkId, Entry>,
    unsent: VecDeque<ChunkId>,
}

#[derive(Debug)]
struct Entry {
    size: u64,
    sha256: Vec<u8>,
    /// Which commit of the chunk it is: a ruling about an earlier one does not concern it.
    committed_us: i64,
    /// Where in its trace it was cut; empty where none was made.
    traceparent: Box<str>,
    /// How often it was sent again: each time under an id of its own.
    resent: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Waits for its turn, or is being published.
    Sending,
    /// In the queue, as far as we know.
    Sent(Receipt),
    /// A stage gave it up. Kept, and not sent again until an operator says so.
    Parked,
}

/// Where in the queue a descriptor was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// Its message id.
    pub message_id: String,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// Since when an answer is awaited.
    pub since: Instant,
}

/// What an event about a chunk means for the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The bucket has these very bytes: free them.
    Free,
    /// The bucket has other bytes than the spool: keep ours, and say so.
    Differs,
    /// Not (or no longer) ours to wait for.
    NotOurs,
}

impl Ledger {
    /// A committed chunk that has to be sent.
    pub(super) fn owe(&mut self, id: ChunkId, chunk: &v1::ChunkReady) {
        let entry = Entry {
            size: chunk.size,
            sha256: chunk.sha256.clone(),
            committed_us: chunk.committed_us,
            traceparent: chunk.traceparent.as_str().into(),
            resent: 0,
            state: State::Sending,
        };
        self.entries.insert(id.clone(), entry);
        self.unsent.push_back(id);
    }

    /// The next chunk to be sent, and how often it was sent before.
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

    /// It is in the queue, unless more is known of it by now: it may be given up before the queue's answer is heard.
    pub(super) fn sent(&mut self, id: &ChunkId, receipt: Receipt) {
        if let Some(entry) = self
            .entries
            .get_mut(id)
            .filter(|entry| matches!(entry.state, State::Sending))
        {
            entry.state = State::Sent(receipt);
        }
    }

    /// It is nowhere in the queue, or never got there: to be sent under another id.
    pub(super) fn send_again(&mut self, id: &ChunkId) {
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

    /// It is still in the queue: the patience starts anew.
    pub(super) fn still_queued(&mut self, id: &ChunkId, now: Instant) {
        if let Some(Entry {
            state: State::Sent(receipt),
            ..
        }) = self.entries.get_mut(id)
        {
            receipt.since = now;
        }
    }

    /// Chunks that have waited longer than [`PATIENCE`], with their receipts.
    pub(super) fn overdue(&self, now: Instant) -> Vec<(ChunkId, Receipt)> {
        let late = |receipt: &&Receipt| now.saturating_duration_since(receipt.since) >= PATIENCE;
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

    /// Whether what the bucket holds is what the spool holds.
    pub(super) fn judge(&self, id: &ChunkId, upload: &v1::ChunkUploaded) -> Verdict {
        match self.entries.get(id) {
            None => Verdict::NotOurs,
            Some(entry) if entry.size == upload.size && entry.sha256 == upload.sha256 => {
                Verdict::Free
            }
            Some(_) => Verdict::Differs,
        }
    }

    /// It is in the bucket and out of the spool.
    pub(super) fn settle(&mut self, id: &ChunkId) {
        self.entries.remove(id);
    }

    /// A stage gave it up. False if it is not ours, or was parked before.
    pub(super) fn park(&mut self, id: &ChunkId) -> bool {
        match self.entries.get_mut(id) {
            Some(entry) if !matches!(entry.state, State::Parked) => {
                entry.state = State::Parked;
                true
            }
            _ => false,
        }
    }

    /// Where in its trace a chunk was cut; empty where that is not known.
    pub(super) fn traceparent(&self, id: &ChunkId) -> &str {
        self.entries.get(id).map_or("", |entry| &entry.traceparent)
    }

    /// Whether this commit of the chunk is owed.
    pub(super) fn owes(&self, id: &ChunkId, committed_us: i64) -> bool {
        self.entries
            .get(id)
            .is_some_and(|entry| entry.committed_us == committed_us)
    }

    /// An operator has sent it again: an answer is awaited, and missed, as if we had.
    pub(super) fn replayed(&mut self, id: &ChunkId, receipt: Receipt) {
        if let Some(entry) = self.entries.get_mut(id) {
            // Our own next sending must not be taken for the one before the replay.
            entry.resent += 1;
            entry.state = State::Sent(receipt);
        }
    }

    /// Whether it is ours and parked.
    pub(super) fn is_parked(&self, id: &ChunkId) -> bool {
        self.entries
            .get(id)
            .is_some_and(|entry| matches!(entry.state, State::Parked))
    }

    /// Chunks that are parked, and which commit of each.
    pub(super) fn all_parked(&self) -> impl Iterator<Item = (&ChunkId, i64)> {
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

    /// How many chunks are parked.
    pub(super) fn parked(&self) -> usize {
        self.all_parked().count()
    }

    /// What others may know of it.
    pub(super) fn owed(&self) -> Owed {
        Owed {
            waiting: self.waiting(),
            parked: self.parked(),
            oldest_us: self
                .entries
                .values()
                .filter(|entry| !matches!(entry.state, State::Parked))
                .map(|entry| entry.committed_us)
                .min(),
        }
    }

    /// Chunks that an answer may still come for.
    pub(super) fn waiting(&self) -> usize {
        self.entries.len() - self.parked()
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
        ledger.owe(id(0), &chunk());
        ledger
    }

    #[test]
    fn a_chunk_is_freed_only_for_its_own_size_and_checksum() {
        let ledger = ledger_with_one();
        assert_eq!(ledger.judge(&id(0), &answer(10, 1)), Verdict::Free);
        assert_eq!(ledger.judge(&id(0), &answer(11, 1)), Verdict::Differs);
        assert_eq!(ledger.judge(&id(0), &answer(10, 2)), Verdict::Differs);
        assert_eq!(ledger.judge(&id(1), &answer(10, 1)), Verdict::NotOurs);
    }

    #[test]
    fn a_chunk_is_owed_until_it_is_settled() {
        let mut ledger = ledger_with_one();
        assert_eq!(ledger.next_unsent(), Some((id(0), 0)));
        assert_eq!(ledger.next_unsent(), None);
        ledger.sent(&id(0), receipt(Instant::now()));
        assert_eq!(ledger.waiting(), 1);
        ledger.settle(&id(0));
        assert_eq!(ledger.waiting(), 0);
    }

    #[test]
    fn an_answer_that_comes_before_its_turn_saves_the_sending() {
        let mut ledger = ledger_with_one();
        ledger.settle(&id(0));
        assert_eq!(ledger.next_unsent(), None);
    }

    #[test]
    fn what_is_overdue_is_asked_about_once_per_patience() {
        let (mut ledger, start) = (ledger_with_one(), Instant::now());
        ledger.sent(&id(0), receipt(start));
        assert!(ledger.overdue(start + PATIENCE / 2).is_empty());
        assert_eq!(
            ledger.overdue(start + PATIENCE),
            vec![(id(0), receipt(start))]
        );
        ledger.still_queued(&id(0), start + PATIENCE);
        assert!(ledger.overdue(start + PATIENCE * 3 / 2).is_empty());
    }

    #[test]
    fn what_is_sent_again_gets_a_number_of_its_own() {
        let mut ledger = ledger_with_one();
        ledger.next_unsent();
        ledger.send_again(&id(0));
        assert_eq!(ledger.next_unsent(), Some((id(0), 1)));
        ledger.send_again(&id(0));
        assert_eq!(ledger.next_unsent(), Some((id(0), 2)));
    }

    #[test]
    fn a_replayed_chunk_is_waited_for_again_and_sent_again_if_it_is_lost() {
        let (mut ledger, start) = (ledger_with_one(), Instant::now());
        ledger.next_unsent();
        ledger.park(&id(0));
        assert!(ledger.owes(&id(0), 0) && !ledger.owes(&id(0), 1) && !ledger.owes(&id(1), 0));
        ledger.replayed(&id(0), receipt(start));
        assert_eq!((ledger.waiting(), ledger.parked()), (1, 0));
        assert_eq!(ledger.overdue(start + PATIENCE).len(), 1);
        ledger.send_again(&id(0));
        assert_eq!(ledger.next_unsent(), Some((id(0), 2)));
    }

    #[test]
    fn what_is_given_up_before_its_publishing_is_confirmed_stays_parked() {
        let mut ledger = ledger_with_one();
        ledger.next_unsent();
        ledger.park(&id(0));
        ledger.sent(&id(0), receipt(Instant::now()));
        assert!(ledger.is_parked(&id(0)));
        assert_eq!(Vec::from_iter(ledger.all_parked()), [(&id(0), 0)]);
    }

    #[test]
    fn a_parked_chunk_is_kept_and_not_sent() {
        let mut ledger = ledger_with_one();
        assert!(ledger.park(&id(0)) && !ledger.park(&id(0)) && !ledger.park(&id(1)));
        ledger.send_again(&id(0));
        assert_eq!(
            (ledger.next_unsent(), ledger.waiting(), ledger.parked()),
            (None, 0, 1)
        );
        assert_eq!(
            ledger.judge(&id(0), &answer(10, 1)),
            Verdict::Free,
            "a replay may still succeed"
        );
    }
}
