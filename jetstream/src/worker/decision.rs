//! Retry decisions, pure.

use std::{borrow::Cow, time::Duration};

use crispy_fault::{Fault, Kind, chain};

use super::{
    DeadLetterKind, DecodeError, Limits,
    retry_history::{Attempt, Failures},
};
use crate::backoff::Backoff;

/// The end of an attempt.
#[derive(Debug)]
pub(super) enum HandlerResult {
    Finished(Result<(), Fault>),
    /// Another message found a shared dependency unavailable.
    Cancelled,
    Undecodable(DecodeError),
    /// Not attempted: that many workers crashed while handling it.
    CrashLimit {
        crashes: u32,
    },
    /// Not attempted: its crash mark cannot be read or written.
    Unguarded(Fault),
}

/// The next step for a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Ack,
    /// It goes back, for any worker, after a delay.
    Nak {
        delay: Duration,
        attempt: Attempt,
        reason: Reason,
    },
    DeadLetter {
        kind: DeadLetterKind,
        reason: Reason,
    },
    /// It waits here for a shared dependency. The reason is None where another message has it.
    AwaitDependency {
        reason: Option<Reason>,
    },
}

/// The reason of a decision, for logs, spans and dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    /// An error and its causes.
    pub(super) error: String,
    pub(super) hint: Option<Cow<'static, str>>,
}

impl Reason {
    pub(super) fn new(error: String) -> Self {
        Self { error, hint: None }
    }

    pub(super) fn from_fault(fault: &Fault) -> Self {
        Self {
            error: chain(fault),
            hint: fault.hint().map(|hint| hint.to_owned().into()),
        }
    }
}

impl Decision {
    /// The outcome's name in spans and metrics.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Ack => "acked",
            Self::Nak { attempt, .. } => attempt.outcome(),
            Self::DeadLetter { .. } => "dead",
            Self::AwaitDependency { .. } => "held",
        }
    }

    /// The error of an unsuccessful attempt.
    pub(super) fn error(&self) -> Option<&str> {
        match self {
            Self::Ack => None,
            Self::Nak { reason, .. } | Self::DeadLetter { reason, .. } => Some(&reason.error),
            Self::AwaitDependency { reason } => reason.as_ref().map(|reason| reason.error.as_str()),
        }
    }
}

/// The first delay of an attempt that is not counted.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// The input of a decision beside the result.
pub(super) struct Circumstances<'a> {
    /// The message's earlier failures.
    pub(super) failures: Failures,
    /// The time since the first retry.
    pub(super) since_first: Duration,
    pub(super) limits: &'a Limits,
    /// In [0, 1).
    pub(super) random: f64,
}

/// Decides.
pub(super) fn decide(result: HandlerResult, circumstances: &Circumstances<'_>) -> Decision {
    match result {
        HandlerResult::Finished(Ok(())) => Decision::Ack,
        HandlerResult::Finished(Err(fault)) => circumstances.after(&fault),
        HandlerResult::Cancelled => Decision::AwaitDependency { reason: None },
        HandlerResult::Undecodable(error @ DecodeError::NeedsUpgrade(_)) => {
            let reason = Reason::new(chain(&error));
            circumstances.wait(Attempt::Uncounted, Duration::ZERO, reason)
        }
        HandlerResult::Undecodable(error) => Decision::DeadLetter {
            kind: DeadLetterKind::Undecodable,
            reason: Reason::new(chain(&error)),
        },
        HandlerResult::CrashLimit { crashes } => Decision::DeadLetter {
            kind: DeadLetterKind::CrashGuard,
            reason: Reason::new(format!(
                "{crashes} workers crashed, one after another, while handling it"
            )),
        },
        HandlerResult::Unguarded(fault) => {
            let reason = Reason::from_fault(&fault);
            circumstances.wait(Attempt::NotAttempted, Duration::ZERO, reason)
        }
    }
}

impl Circumstances<'_> {
    /// The table of fault kinds.
    fn after(&self, fault: &Fault) -> Decision {
        let reason = Reason::from_fault(fault);
        let least = fault.retry_after().unwrap_or_default();
        match fault.kind() {
            Kind::Transient { .. } => self.retry(least, reason),
            Kind::Rejected | Kind::Corrupt | Kind::Conflict | Kind::NotFound => {
                Decision::DeadLetter {
                    kind: DeadLetterKind::Rejected,
                    reason,
                }
            }
            Kind::Unavailable(dependency) if dependency.shared => Decision::AwaitDependency {
                reason: Some(reason),
            },
            Kind::Unavailable(_) => self.wait(Attempt::Uncounted, least, reason),
        }
    }

    /// The attempt counts, and may have been the last.
    fn retry(&self, least: Duration, reason: Reason) -> Decision {
        let retries = self.failures.retries.saturating_add(1);
        if retries >= self.limits.retries && self.since_first >= self.limits.retry_period {
            return Decision::DeadLetter {
                kind: DeadLetterKind::RetriesSpent,
                reason,
            };
        }
        let (first, longest) = (self.limits.first_delay, self.limits.longest_delay);
        let delay = Backoff { first, longest }.delay(retries, self.random);
        Decision::Nak {
            delay: delay.max(least.min(longest)),
            attempt: Attempt::Counted,
            reason,
        }
    }

    /// The attempt does not count.
    fn wait(&self, attempt: Attempt, least: Duration, reason: Reason) -> Decision {
        let longest = self.limits.longest_wait;
        let first = FIRST_WAIT.min(longest);
        let waits = self.failures.waits.saturating_add(1);
        let delay = Backoff { first, longest }.delay(waits, self.random);
        Decision::Nak {
            delay: delay.max(least.min(longest)),
            attempt,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use crispy_fault::DependencyId;
    use proptest::prelude::*;

    use super::*;

    fn limits() -> Limits {
        Limits::default()
    }

    fn after(retries: u32, seconds: u64, result: HandlerResult) -> Decision {
        let failures = Failures {
            retries,
            ..Failures::default()
        };
        let circumstances = Circumstances {
            failures,
            since_first: Duration::from_secs(seconds),
            limits: &limits(),
            random: 0.5,
        };
        decide(result, &circumstances)
    }

    fn failed(fault: Fault) -> HandlerResult {
        HandlerResult::Finished(Err(fault))
    }

    fn kind(decision: Decision) -> Option<DeadLetterKind> {
        match decision {
            Decision::DeadLetter { kind, .. } => Some(kind),
            _ => None,
        }
    }

    fn bucket() -> DependencyId {
        DependencyId::Bucket("gs://videos".into())
    }

    fn spool() -> DependencyId {
        DependencyId::Spool("s1".into())
    }

    #[test]
    fn retries_end_after_many_and_a_long_time() {
        let transient = || failed(Fault::transient("no luck"));
        assert_eq!(kind(after(6, 6000, transient())), None);
        assert_eq!(kind(after(100, 599, transient())), None);
        let spent = Some(DeadLetterKind::RetriesSpent);
        assert_eq!(kind(after(7, 600, transient())), spent);
    }

    #[test]
    fn permanent_faults_are_dead_lettered_at_once() {
        for fault in [
            Fault::rejected("x"),
            Fault::corrupt("x"),
            Fault::conflict("x"),
            Fault::not_found("x"),
        ] {
            let rejected = Some(DeadLetterKind::Rejected);
            assert_eq!(kind(after(0, 0, failed(fault))), rejected);
        }
        let malformed = HandlerResult::Undecodable(DecodeError::Malformed("no type".into()));
        let undecodable = Some(DeadLetterKind::Undecodable);
        assert_eq!(kind(after(0, 0, malformed)), undecodable);
        let crashed = HandlerResult::CrashLimit { crashes: 3 };
        assert_eq!(kind(after(0, 0, crashed)), Some(DeadLetterKind::CrashGuard));
    }

    #[test]
    fn an_outage_never_counts_against_a_message() {
        let outage = failed(Fault::unavailable(bucket(), "put object"));
        for result in [outage, HandlerResult::Cancelled] {
            let decision = after(99, 9999, result);
            assert!(matches!(decision, Decision::AwaitDependency { .. }));
        }
        for result in [
            failed(Fault::unavailable_to_some(spool(), "read chunk")),
            HandlerResult::Undecodable(DecodeError::NeedsUpgrade("teleport".into())),
        ] {
            let decision = after(99, 9999, result);
            assert!(
                matches!(
                    decision,
                    Decision::Nak {
                        attempt: Attempt::Uncounted,
                        ..
                    }
                ),
                "{decision:?}"
            );
        }
    }

    #[test]
    fn retry_after_lengthens_a_delay_and_never_shortens_it() {
        let delay = |retries, seconds| {
            let fault =
                Fault::transient("busy").with_retry_after(Some(Duration::from_secs(seconds)));
            match after(retries, 0, failed(fault)) {
                Decision::Nak { delay, attempt, .. } => (delay, attempt),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(delay(0, 30), (Duration::from_secs(30), Attempt::Counted));
        let longest = limits().longest_delay.mul_f64(0.75);
        assert_eq!(delay(20, 1), (longest, Attempt::Counted));
    }

    #[test]
    fn the_reason_names_every_cause_and_the_hint() {
        let fault = Fault::rejected("put object")
            .with_source(std::io::Error::other("disk is on fire"))
            .with_hint("call the fire brigade");
        let Decision::DeadLetter { reason, .. } = after(0, 0, failed(fault)) else {
            panic!("not given up");
        };
        assert_eq!(reason.error, "put object: disk is on fire");
        assert_eq!(reason.hint.as_deref(), Some("call the fire brigade"));
    }

    proptest! {
        #[test]
        fn no_delay_exceeds_its_limit(retries: u32, waits: u32, random in 0.0..1.0) {
            let failures = Failures { retries, waits, ..Failures::default() };
            let limits = limits();
            let circumstances = Circumstances {
                failures,
                since_first: Duration::ZERO,
                limits: &limits,
                random,
            };
            let delay = |fault| match decide(failed(fault), &circumstances) {
                Decision::Nak { delay, .. } => delay,
                other => panic!("{other:?}"),
            };
            let forever = Fault::transient("x").with_retry_after(Some(Duration::MAX));
            prop_assert!(delay(Fault::transient("x")) <= limits.longest_delay);
            prop_assert!(delay(forever) == limits.longest_delay);
            let unavailable = Fault::unavailable_to_some(spool(), "x");
            prop_assert!(delay(unavailable) <= limits.longest_wait);
        }
    }
}
