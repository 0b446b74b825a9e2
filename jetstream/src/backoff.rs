//! How long to wait before trying again.

use std::time::Duration;

/// Pauses that double from `first` to `longest`, at least half of each random: many who fail together must not try again together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure, at most.
    pub first: Duration,
    /// After however many, at most.
    pub longest: Duration,
}

impl Backoff {
    /// The pause after failure number `failure` (from 1), given a `random` number in [0, 1).
    pub fn pause(self, failure: u32, random: f64) -> Duration {
        let doublings = failure.saturating_sub(1).min(31);
        let longest = self.first.saturating_mul(1 << doublings).min(self.longest);
        longest.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_millis(20),
        longest: Duration::from_millis(500),
    };

    proptest! {
        #[test]
        fn a_pause_is_never_longer_than_the_longest(failure: u32, random in 0.0..1.0) {
            prop_assert!(BACKOFF.pause(failure, random) <= BACKOFF.longest);
        }

        #[test]
        fn pauses_never_shrink_below_half_the_first(failure: u32, random in 0.0..1.0) {
            prop_assert!(BACKOFF.pause(failure, random) >= BACKOFF.first / 2);
        }

        #[test]
        fn those_who_failed_together_spread_over_half_the_pause(failure: u32) {
            let (soonest, latest) = (BACKOFF.pause(failure, 0.0), BACKOFF.pause(failure, 1.0));
            prop_assert!(latest >= soonest * 2 - Duration::from_nanos(2));
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses = [1, 2, 3, 6, 99].map(|failure| BACKOFF.pause(failure, 1.0).as_millis());
        assert_eq!(pauses, [20, 40, 80, 500, 500]);
    }
}
