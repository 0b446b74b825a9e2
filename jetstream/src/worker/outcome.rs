//! What becomes of a message, given how its handling ended. Pure.

use std::time::Duration;

use crispy_fault::chain;

use super::{
    Cause, DeadLetterKind as Kind, DecodeError, Failure, Limits,
    history::{Attempt, Failures},
    suspects::WatchError,
};
use crate::backoff::Backoff;

/// How the handling of one message ended.
#[derive(Debug)]
pub(super) enum Ending {
    Done,
    Failed(Failure),
    Panicked(String),
    /// Its bytes are not what the handler understands.
    Undecodable(DecodeError),
    /// It was given up half-way: another message found the destination away.
    CutShort,
    /// It was not handled at all: this many workers died while they did.
    Deadly {
        deaths: u32,
    },
    /// It was not handled at all: it is a suspect, and the marks of suspects cannot be read or written.
    Unwatched(WatchError),
}

/// What becomes of the message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is done for good.
    Ack,
    /// It goes back, for anybody, after a pause.
    HandBack {
        pause: Duration,
        attempt: Attempt,
        reason: String,
    },
    /// It is given up.
    Bury { kind: Kind, reason: String },
    /// It stays here until the destination is back; `news` is why that is away, where this message has found out.
    Hold { news: Option<String> },
}

impl Decision {
    /// In a word, for spans and metrics.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Ack => "acked",
            Self::HandBack { attempt, .. } => attempt.outcome(),
            Self::Bury { .. } => "dead",
            Self::Hold { .. } => "held",
        }
    }

    /// Why it is not done.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Ack => None,
            Self::HandBack { reason, .. } | Self::Bury { reason, .. } => Some(reason),
            Self::Hold { news } => news.as_deref(),
        }
    }
}

/// Pauses of a message that waits for something that is not its own fault.
const FIRST_ABSENCE: Duration = Duration::from_secs(5);

/// What a decision rests on, beside the ending.
pub(super) struct Circumstances<'a> {
    /// What this worker remembers of the message.
    pub(super) before: Failures,
    /// Time since the first of its retries.
    pub(super) since_first: Duration,
    pub(super) limits: &'a Limits,
    /// In [0, 1).
    pub(super) random: f64,
}

/// Decides.
pub(super) fn decide(ending: Ending, circumstances: &Circumstances<'_>) -> Decision {
    let bury = |kind, reason| Decision::Bury { kind, reason };
    match ending {
        Ending::Done => Decision::Ack,
        Ending::Failed(Failure::Retry(error)) => {
            circumstances.retry(Duration::ZERO, chain(&*error))
        }
        Ending::Failed(Failure::RetryAfter(pause, error)) => {
            circumstances.retry(pause, chain(&*error))
        }
        Ending::Failed(Failure::Reject(error)) => bury(Kind::Rejected, chain(&*error)),
        Ending::Failed(Failure::Unavailable(Cause::Destination, error)) => Decision::Hold {
            news: Some(chain(&*error)),
        },
        Ending::CutShort => Decision::Hold { news: None },
        Ending::Failed(Failure::Unavailable(Cause::Owner(_), error)) => {
            circumstances.wait(Attempt::Waited, chain(&*error))
        }
        Ending::Panicked(what) => {
            circumstances.retry(Duration::ZERO, format!("the handler panicked: {what}"))
        }
        Ending::Undecodable(error @ DecodeError::NeedsUpgrade(_)) => {
            circumstances.wait(Attempt::Waited, chain(&error))
        }
        Ending::Undecodable(error) => bury(Kind::Undecodable, chain(&error)),
        Ending::Deadly { deaths } => bury(
            Kind::CrashGuard,
            format!("{deaths} workers died while they handled it, one after another"),
        ),
        Ending::Unwatched(error) => circumstances.wait(Attempt::Refrained, chain(&error)),
    }
}

impl Circumstances<'_> {
    /// The attempt counts; it may have been the last. If not, the next comes not sooner than `wished`, within the limit.
    fn retry(&self, wished: Duration, reason: String) -> Decision {
        let failures = self.before.retries.saturating_add(1);
        if failures >= self.limits.retries && self.since_first >= self.limits.retrying {
            return Decision::Bury {
                kind: Kind::RetriesSpent,
                reason,
            };
        }
        let pauses = Backoff {
            first: self.limits.first_pause,
            longest: self.limits.longest_pause,
        };
        Decision::HandBack {
            pause: pauses
                .pause(failures, self.random)
                .max(wished.min(self.limits.longest_pause)),
            attempt: Attempt::Failed,
            reason,
        }
    }

    /// The attempt does not count.
    fn wait(&self, attempt: Attempt, reason: String) -> Decision {
        let longest = self.limits.longest_absence;
        let pauses = Backoff {
            first: FIRST_ABSENCE.min(longest),
            longest,
        };
        Decision::HandBack {
            pause: pauses.pause(self.before.absences.saturating_add(1), self.random),
            attempt,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        retries: 8,
        retrying: Duration::from_secs(600),
        suspicion: 5,
        deaths: 3,
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(120),
        longest_absence: Duration::from_secs(60),
        probe_every: Duration::from_secs(2),
        burying: Duration::from_secs(10),
    };

    fn after(retries: u32, seconds: u64, ending: Ending) -> Decision {
        let before = Failures {
            retries,
            ..Failures::default()
        };
        let circumstances = Circumstances {
            before,
            since_first: Duration::from_secs(seconds),
            limits: &LIMITS,
            random: 0.5,
        };
        decide(ending, &circumstances)
    }

    fn kind(decision: Decision) -> Option<Kind> {
        match decision {
            Decision::Bury { kind, .. } => Some(kind),
            _ => None,
        }
    }

    #[test]
    fn retries_end_only_when_there_were_many_and_for_long() {
        let retry = || Ending::Failed(Failure::retry("no luck"));
        assert_eq!(kind(after(6, 6000, retry())), None);
        assert_eq!(kind(after(100, 599, retry())), None);
        assert_eq!(kind(after(7, 600, retry())), Some(Kind::RetriesSpent));
        let panic = Ending::Panicked("index out of bounds".into());
        assert_eq!(kind(after(7, 600, panic)), Some(Kind::RetriesSpent));
    }

    #[test]
    fn what_can_never_work_is_given_up_at_once() {
        let reject = Ending::Failed(Failure::reject("wrong"));
        assert_eq!(kind(after(0, 0, reject)), Some(Kind::Rejected));
        let poison = Ending::Undecodable(DecodeError::Malformed("no type".into()));
        assert_eq!(kind(after(0, 0, poison)), Some(Kind::Undecodable));
        let deadly = Ending::Deadly { deaths: 3 };
        assert_eq!(kind(after(0, 0, deadly)), Some(Kind::CrashGuard));
    }

    #[test]
    fn an_outage_is_never_held_against_a_message() {
        let away = Ending::Failed(Failure::destination("bucket is away"));
        assert!(matches!(after(99, 9999, away), Decision::Hold { .. }));
        let cut_short = after(99, 9999, Ending::CutShort);
        assert!(matches!(cut_short, Decision::Hold { .. }));
        for ending in [
            Ending::Failed(Failure::owner("s1", "host is away")),
            Ending::Undecodable(DecodeError::NeedsUpgrade("teleport".into())),
        ] {
            let decision = after(99, 9999, ending);
            assert!(
                matches!(
                    decision,
                    Decision::HandBack {
                        attempt: Attempt::Waited,
                        ..
                    }
                ),
                "{decision:?}"
            );
        }
    }

    #[test]
    fn a_pause_that_was_asked_for_is_kept_and_does_not_shorten_ours() {
        let pause = |retries, seconds| {
            let wished = Duration::from_secs(seconds);
            let failure = Failure::retry_after(wished, "busy");
            match after(retries, 0, Ending::Failed(failure)) {
                Decision::HandBack { pause, attempt, .. } => (pause, attempt),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(pause(0, 30), (Duration::from_secs(30), Attempt::Failed));
        assert_eq!(
            pause(20, 1),
            (LIMITS.longest_pause.mul_f64(0.75), Attempt::Failed)
        );
    }

    #[test]
    fn the_reason_names_every_cause() {
        #[derive(Debug, thiserror::Error)]
        #[error("put object")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("disk is on fire"));
        let Decision::Bury { reason, .. } = after(0, 0, Ending::Failed(Failure::reject(error)))
        else {
            panic!("not given up");
        };
        assert_eq!(reason, "put object: disk is on fire");
    }

    proptest! {
        #[test]
        fn no_pause_is_longer_than_its_limit(retries: u32, absences: u32, random in 0.0..1.0) {
            let before = Failures { retries, absences, ..Failures::default() };
            let circumstances = Circumstances { before, since_first: Duration::ZERO, limits: &LIMITS, random };
            let pause = |failure| match decide(Ending::Failed(failure), &circumstances) {
                Decision::HandBack { pause, .. } => pause,
                other => panic!("{other:?}"),
            };
            prop_assert!(pause(Failure::retry("x")) <= LIMITS.longest_pause);
            prop_assert!(pause(Failure::retry_after(Duration::MAX, "x")) == LIMITS.longest_pause);
            prop_assert!(pause(Failure::owner("s", "x")) <= LIMITS.longest_absence);
        }
    }
}
