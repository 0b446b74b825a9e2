//! Failed attempts of this worker, by message.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::delivery::{Delivery, MessageRef};

/// Messages remembered. The count of a forgotten message starts again; the crash guard still works
/// by the server's own count.
const CAPACITY: usize = 16 * 1024;

/// The meaning of an unfinished attempt for its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It failed, presumably because of the message.
    Counted,
    /// It ended because of something else.
    Uncounted,
    /// It was not made: the message may kill its workers.
    NotAttempted,
}

impl Attempt {
    /// The outcome's name in spans and metrics.
    pub(super) fn outcome(self) -> &'static str {
        match self {
            Self::Counted => "retried",
            Self::Uncounted | Self::NotAttempted => "handed_back",
        }
    }
}

/// The failures of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    /// Counted attempts.
    pub(super) retries: u32,
    /// Attempts that are not counted.
    pub(super) waits: u32,
    /// An attempt has ended in this process.
    pub(super) survived: bool,
    /// The first retry, by the clock that measures and the clock that is shown.
    pub(super) first: Option<(Instant, Timestamp)>,
}

impl Failures {
    /// Writes the failures of a message into its delivery.
    pub(super) fn record(self, delivery: &mut Delivery) {
        delivery.attempt = self.retries.saturating_add(1);
        delivery.begun = self.survived;
    }

    /// The time since the first retry.
    pub(super) fn since_first(&self, now: Instant) -> Duration {
        self.first
            .map_or(Duration::ZERO, |(first, _)| now.duration_since(first))
    }
}

/// Failures by message. Bounded: the oldest are forgotten.
#[derive(Debug, Default)]
pub(super) struct RetryHistory {
    failures: HashMap<MessageRef, Failures>,
    order: VecDeque<MessageRef>,
}

impl RetryHistory {
    /// The failures of a message. None before its first unfinished attempt.
    pub(super) fn get(&self, message: MessageRef) -> Option<Failures> {
        self.failures.get(&message).copied()
    }

    /// Adds an attempt.
    pub(super) fn add(&mut self, message: MessageRef, attempt: Attempt) {
        if !self.failures.contains_key(&message) {
            self.order.push_back(message);
            self.forget_oldest();
        }
        let failures = self.failures.entry(message).or_default();
        failures.survived |= attempt != Attempt::NotAttempted;
        if attempt == Attempt::Counted {
            failures.retries = failures.retries.saturating_add(1);
            failures
                .first
                .get_or_insert_with(|| (Instant::now(), Timestamp::now()));
        } else {
            failures.waits = failures.waits.saturating_add(1);
        }
    }

    /// Forgets a settled message.
    pub(super) fn forget(&mut self, message: MessageRef) {
        self.failures.remove(&message);
    }

    fn forget_oldest(&mut self) {
        while self.order.len() > CAPACITY {
            if let Some(oldest) = self.order.pop_front() {
                self.failures.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sequence: u64) -> MessageRef {
        MessageRef {
            created_us: 1,
            sequence,
        }
    }

    #[test]
    fn uncounted_attempts_are_remembered() {
        let mut history = RetryHistory::default();
        assert_eq!(history.get(message(1)), None);
        history.add(message(1), Attempt::NotAttempted);
        assert!(!history.get(message(1)).unwrap().survived);
        history.add(message(1), Attempt::Uncounted);
        history.add(message(1), Attempt::Counted);
        let failures = history.get(message(1)).unwrap();
        assert_eq!((failures.retries, failures.waits), (1, 2));
        assert!(failures.survived);
        history.forget(message(1));
        assert_eq!(history.get(message(1)), None);
    }

    #[test]
    fn memory_is_bounded_for_a_million_failing_messages() {
        let mut history = RetryHistory::default();
        for sequence in 0..1_000_000 {
            history.add(message(sequence), Attempt::Counted);
            if sequence % 2 == 0 {
                history.forget(message(sequence));
            }
        }
        assert!(history.failures.len() <= CAPACITY && history.order.len() <= CAPACITY);
        assert!(history.get(message(999_999)).is_some());
    }
}
