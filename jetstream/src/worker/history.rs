//! What this worker remembers of messages that it could not finish.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::place::Place;

/// Messages remembered. What is forgotten starts its count anew; the server's own count still guards against crashes.
const REMEMBERED: usize = 16 * 1024;

/// What an attempt that came to nothing says of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It failed, as far as can be told by the message's own fault.
    Failed,
    /// It ended, for want of something else.
    Waited,
    /// It was not made: the message may be killing its workers, for all that is known.
    Refrained,
}

impl Attempt {
    /// What became of the message, in a word, for spans and metrics.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::Failed => "retried",
            Self::Waited | Self::Refrained => "handed_back",
        }
    }
}

/// How often a message has failed here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    /// Attempts that were its own fault, as far as can be told.
    pub(super) retries: u32,
    /// Times it had to wait for something else.
    pub(super) absences: u32,
    /// An attempt at it has ended here, and this worker lives.
    pub(super) survived: bool,
    /// The first retry, by two clocks: one to measure with and one to show.
    pub(super) first: Option<(Instant, Timestamp)>,
}

impl Failures {
    /// Time since the first retry.
    pub(super) fn since_first(&self, now: Instant) -> Duration {
        self.first
            .map_or(Duration::ZERO, |(first, _)| now.duration_since(first))
    }
}

/// Failures by message. Bounded: the oldest are forgotten.
#[derive(Debug, Default)]
pub(super) struct History {
    failures: HashMap<Place, Failures>,
    order: VecDeque<Place>,
}

impl History {
    /// What is remembered of the message; None where this worker has never had it back.
    pub(super) fn get(&self, place: Place) -> Option<Failures> {
        self.failures.get(&place).copied()
    }

    /// Adds one attempt.
    pub(super) fn add(&mut self, place: Place, attempt: Attempt) {
        if !self.failures.contains_key(&place) {
            self.order.push_back(place);
            self.forget_oldest();
        }
        let failures = self.failures.entry(place).or_default();
        failures.survived |= attempt != Attempt::Refrained;
        if attempt == Attempt::Failed {
            failures.retries = failures.retries.saturating_add(1);
            failures
                .first
                .get_or_insert_with(|| (Instant::now(), Timestamp::now()));
        } else {
            failures.absences = failures.absences.saturating_add(1);
        }
    }

    /// The message is settled.
    pub(super) fn forget(&mut self, place: Place) {
        self.failures.remove(&place);
    }

    fn forget_oldest(&mut self) {
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.failures.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(sequence: u64) -> Place {
        Place {
            created_us: 1,
            sequence,
        }
    }

    #[test]
    fn waiting_for_something_else_is_remembered_and_not_counted() {
        let mut history = History::default();
        assert_eq!(history.get(place(1)), None);
        history.add(place(1), Attempt::Refrained);
        assert!(!history.get(place(1)).unwrap().survived);
        history.add(place(1), Attempt::Waited);
        history.add(place(1), Attempt::Failed);
        let failures = history.get(place(1)).unwrap();
        assert_eq!((failures.retries, failures.absences), (1, 2));
        assert!(failures.survived);
        history.forget(place(1));
        assert_eq!(history.get(place(1)), None);
    }

    #[test]
    fn a_million_failing_messages_take_no_more_memory_than_a_few() {
        let mut history = History::default();
        for sequence in 0..1_000_000 {
            history.add(place(sequence), Attempt::Failed);
            if sequence % 2 == 0 {
                history.forget(place(sequence));
            }
        }
        assert!(history.failures.len() <= REMEMBERED && history.order.len() <= REMEMBERED);
        assert!(history.get(place(999_999)).is_some());
    }
}
