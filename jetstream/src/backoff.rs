//! Exponential backoff with jitter.

use std::time::Duration;

/// Delays that double from `first` to `longest`. At least half of each is random: clients that fail
/// together must not retry together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest delay after the first failure.
    pub first: Duration,
    /// The longest delay.
    pub longest: Duration,
}

impl Backoff {
    /// The delay after failure number `failure` (from 1), given a `random` number in [0, 1).
    pub fn delay(self, failure: u32, random: f64) -> Duration {
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
        fn no_delay_exceeds_the_longest(failure: u32, random in 0.0..1.0) {
            prop_assert!(BACKOFF.delay(failure, random) <= BACKOFF.longest);
        }

        #[test]
        fn no_delay_is_below_half_the_first(failure: u32, random in 0.0..1.0) {
            prop_assert!(BACKOFF.delay(failure, random) >= BACKOFF.first / 2);
        }

        #[test]
        fn jitter_covers_half_the_delay(failure: u32) {
            let (soonest, latest) = (BACKOFF.delay(failure, 0.0), BACKOFF.delay(failure, 1.0));
            prop_assert!(latest >= soonest * 2 - Duration::from_nanos(2));
        }
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let delays = [1, 2, 3, 6, 99].map(|failure| BACKOFF.delay(failure, 1.0).as_millis());
        assert_eq!(delays, [20, 40, 80, 500, 500]);
    }
}
