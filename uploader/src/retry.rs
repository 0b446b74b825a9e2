//! Retry decisions between the attempts of one upload, pure.
//!
//! | failure | decision | because |
//! |---|---|---|
//! | of the fetch | give up | the worker retries, or waits for the spool's owner |
//! | NotFound, Conflict, Rejected | give up | it will not change |
//! | Unavailable | give up | an outage, not a failure of each chunk |
//! | Transient: 408, 429, 5xx, no answer, reset | three retries, then a probe | see below |
//! | Corrupt: refused by their checksum | the same, fetched again | damaged in transit |
//!
//! A store that answers 500 may be down, or may fail for this one chunk only. A probe tells: if no
//! such object can be written, it is an outage, and costs no attempt of any chunk; otherwise the
//! failure is the chunk's own and counted, so that one that never works cannot stop the others for
//! ever.

use std::time::Duration;

use crispy_fault::Kind;
use crispy_jetstream::Backoff;

/// Retries before a message is returned to the queue: a failure that passes within seconds should
/// not cost a delivery.
const MAX_RETRIES: u32 = 3;

const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(200),
    longest: Duration::from_secs(2),
};

/// The longest `Retry-After` to wait for with the chunk in memory. The worker waits for a longer
/// one, with its permit free meanwhile.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// A step of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Step {
    #[default]
    Fetch,
    LookUp,
    Put,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadDecision {
    /// Another attempt after a pause.
    Retry {
        pause: Duration,
        /// The bytes in memory are not to be trusted.
        refetch: bool,
    },
    /// A probe of the bucket decides between an outage and the object's own failure.
    Probe,
    /// The failure is final for this delivery.
    GiveUp,
}

/// The decision after failure number `failures` (from 1), given a `random` number in [0, 1).
pub(crate) fn decide(step: Step, kind: &Kind, failures: u32, random: f64) -> UploadDecision {
    let (wait, refetch) = match kind {
        _ if step == Step::Fetch => return UploadDecision::GiveUp,
        Kind::Transient { retry_after } => (retry_after.unwrap_or_default(), false),
        Kind::Corrupt => (Duration::ZERO, true),
        Kind::NotFound | Kind::Conflict | Kind::Rejected | Kind::Unavailable(_) => {
            return UploadDecision::GiveUp;
        }
    };
    if failures > MAX_RETRIES || wait > MAX_WAIT {
        return UploadDecision::Probe;
    }
    // The sum, since all clients with the same `Retry-After` would come at the same time.
    let pause = wait + BACKOFF.delay(failures, random);
    UploadDecision::Retry { pause, refetch }
}

#[cfg(test)]
mod tests {
    use crispy_fault::{Dependency, DependencyId};
    use proptest::prelude::*;

    use super::*;

    fn transient(seconds: u64) -> Kind {
        Kind::Transient {
            retry_after: (seconds > 0).then(|| Duration::from_secs(seconds)),
        }
    }

    #[test]
    fn final_failures_are_given_up_at_once() {
        let outage = Kind::Unavailable(Dependency {
            id: DependencyId::Bucket("gs://b".into()),
            shared: true,
            retry_after: Some(Duration::from_secs(60)),
        });
        for kind in [Kind::NotFound, Kind::Conflict, Kind::Rejected, outage] {
            for step in [Step::Fetch, Step::LookUp, Step::Put] {
                let decision = decide(step, &kind, 1, 0.5);
                assert_eq!(decision, UploadDecision::GiveUp, "{step:?}, {kind}");
            }
        }
        for kind in [transient(0), Kind::Corrupt] {
            assert_eq!(decide(Step::Fetch, &kind, 1, 0.5), UploadDecision::GiveUp);
        }
    }

    #[test]
    fn passing_failures_are_retried_then_probed() {
        for (step, kind, fetched_again) in [
            (Step::Put, transient(0), false),
            (Step::LookUp, transient(0), false),
            (Step::Put, Kind::Corrupt, true),
        ] {
            for failures in 1..=MAX_RETRIES {
                match decide(step, &kind, failures, 0.5) {
                    UploadDecision::Retry { pause, refetch } => {
                        assert_eq!(refetch, fetched_again, "{kind}");
                        assert!(pause <= BACKOFF.longest, "{kind}: {pause:?}");
                    }
                    other => panic!("{kind}, failure {failures}: {other:?}"),
                }
            }
            let last = decide(step, &kind, MAX_RETRIES + 1, 0.5);
            assert_eq!(last, UploadDecision::Probe, "{kind}");
        }
    }

    proptest! {
        #[test]
        fn pauses_respect_retry_after_and_stay_short(
            seconds in 0..100_u64, failures in 1..9_u32, random in 0.0..1.0,
        ) {
            let wait = Duration::from_secs(seconds);
            match decide(Step::Put, &transient(seconds), failures, random) {
                UploadDecision::Retry { pause, .. } => {
                    prop_assert!(failures <= MAX_RETRIES);
                    prop_assert!(pause >= wait && pause <= MAX_WAIT + BACKOFF.longest);
                }
                decision => {
                    prop_assert_eq!(decision, UploadDecision::Probe);
                    prop_assert!(failures > MAX_RETRIES || wait > MAX_WAIT);
                }
            }
        }
    }
}
