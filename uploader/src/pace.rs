//! How fast bytes may leave: one pace for all uploads of a process.

use std::{fmt, num::NonZeroU64, str::FromStr, time::Duration};

use crispy_runtime::settings::SizeError;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// Bytes a second, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(NonZeroU64);

/// Why a text is not a rate.
#[derive(Debug, thiserror::Error)]
pub enum RateError {
    /// It does not end in `/s`.
    #[error("expected a size a second, like 50MiB/s")]
    NoUnit,
    /// What stands before that is no size.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// Nothing would ever be uploaded.
    #[error("a rate is at least 1B/s; leave the flag out for no limit")]
    Zero,
}

impl FromStr for Rate {
    type Err = RateError;

    /// A size as all flags have it, and `/s`: `50MiB/s`, `500KB/s`.
    fn from_str(text: &str) -> Result<Self, RateError> {
        let size = text.strip_suffix("/s").ok_or(RateError::NoUnit)?;
        let bytes = NonZeroU64::new(crispy_runtime::settings::size(size)?);
        bytes.map(Self).ok_or(RateError::Zero)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B/s", self.0)
    }
}

impl Rate {
    /// How long so many bytes take.
    fn time(self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.0.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// The turn to send.
///
/// Whole chunks take turns: one may begin when the time of those before it is over, and then goes as fast as the network takes it. So in any
/// time no more leaves than the rate gives, and one chunk. Time in which nobody sent is not saved up. No crate does this: `governor` refuses what
/// is larger than its burst, and a chunk may be larger than a second of its rate.
#[derive(Debug)]
pub struct Pace {
    rate: Option<Rate>,
    /// When the next may begin. Held while somebody waits for it, so that who gives up waiting has taken nobody's time.
    next: Mutex<Instant>,
}

impl Pace {
    /// This many bytes a second; without a rate, as many as the network takes.
    pub fn new(rate: Option<Rate>) -> Self {
        Self {
            rate,
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits for the turn of so many bytes. First come, first served.
    pub async fn turn(&self, bytes: u64) {
        let Some(rate) = self.rate else {
            return;
        };
        let mut next = self.next.lock().await;
        let begins = (*next).max(Instant::now());
        sleep_until(begins).await;
        *next = begins + rate.time(bytes);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join_all};
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn a_rate_is_a_size_a_second() {
        assert_eq!(rate("50MiB/s").to_string(), "52428800B/s");
        assert_eq!(rate("500KB/s").time(1_000_000), Duration::from_secs(2));
        assert_eq!(rate("1B/s").time(u64::MAX), Duration::from_nanos(u64::MAX));
        for (text, hint) in [
            ("50MiB", "50MiB/s"),
            ("50/s", "unit"),
            ("fast/s", "unit"),
            ("0B/s", "leave the flag out"),
        ] {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    /// Sends chunks of these sizes from so many hands at once; for each, when it began and its size, in order.
    async fn send(pace: &Pace, hands: usize, sizes: &[u64]) -> Vec<(Duration, u64)> {
        let start = Instant::now();
        let begun = std::sync::Mutex::new(Vec::new());
        let hand = async |mine: &[u64]| {
            for size in mine {
                pace.turn(*size).await;
                begun.lock().unwrap().push((start.elapsed(), *size));
            }
        };
        let share = sizes.len().div_ceil(hands).max(1);
        join_all(sizes.chunks(share).map(hand)).await;
        begun.into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn eight_hands_together_keep_the_rate() {
        let pace = Pace::new(Some(rate("50MiB/s")));
        let sizes: Vec<u64> = (0..400).map(|n| (n % 7 + 1) * MIB / 2).collect();
        let begun = send(&pace, 8, &sizes).await;
        let (last, size) = *begun.last().unwrap();
        let all: u64 = sizes.iter().sum();
        let reached = (all - size) as f64 / last.as_secs_f64() / (50 * MIB) as f64;
        assert!((0.999..1.001).contains(&reached), "{reached} of the rate");
    }

    proptest! {
        #[test]
        fn in_no_time_does_more_leave_than_the_rate_gives_and_one_chunk(
            sizes in proptest::collection::vec(1..64 * MIB, 1..40), hands in 1..9_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            let pace = runtime.block_on(async { Pace::new(Some(rate("10MiB/s"))) });
            let begun = runtime.block_on(send(&pace, hands, &sizes));
            for first in 0..begun.len() {
                for last in first..begun.len() {
                    let left: u64 = begun[first..last].iter().map(|(_, size)| size).sum();
                    // A timer's own grain is a millisecond.
                    let time = begun[last].0 - begun[first].0 + Duration::from_millis(2);
                    prop_assert!(rate("10MiB/s").time(left) <= time, "{left} bytes in {time:?}");
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_takes_nobodys_time() {
        let pace = Pace::new(Some(rate("1MiB/s")));
        pace.turn(MIB).await;
        for _ in 0..100 {
            assert!(pace.turn(64 * MIB).now_or_never().is_none());
        }
        let start = Instant::now();
        pace.turn(MIB).await;
        assert!(start.elapsed() <= Duration::from_millis(1001));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nobody_waits() {
        let pace = Pace::new(None);
        assert!(pace.turn(u64::MAX).now_or_never().is_some());
    }
}
