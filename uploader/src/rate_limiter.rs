//! A limit on the upload rate of a process.

use std::{fmt, num::NonZeroU64, str::FromStr, time::Duration};

use crispy_runtime::settings::SizeError;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// Bytes a second, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(NonZeroU64);

/// Text that is not a rate.
#[derive(Debug, thiserror::Error)]
pub enum RateError {
    /// It does not end in `/s`.
    #[error("expected a size a second, like 50MiB/s")]
    NoUnit,
    /// The part before it is no size.
    #[error(transparent)]
    Size(#[from] SizeError),
    /// A rate of zero would stop all uploads.
    #[error("a rate is at least 1B/s; leave the flag out for no limit")]
    Zero,
}

impl FromStr for Rate {
    type Err = RateError;

    /// A size in the syntax of all flags, and `/s`: `50MiB/s`, `500KB/s`.
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
    /// The time that so many bytes take.
    fn time(self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.0.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// A limit on the rate of all uploads together.
///
/// Whole chunks take turns: one starts when the time of those before it is over, and then goes as
/// fast as the network takes it. So in any period no more bytes are sent than the rate permits, and
/// one chunk. Unused time is not saved up. No crate does this: `governor` refuses a request larger
/// than its burst, and a chunk may be larger than a second of its rate.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    rate: Option<Rate>,
    /// The start of the next chunk. The lock is held while waiting, so a cancelled upload consumes
    /// no budget.
    next: Mutex<Instant>,
}

impl RateLimiter {
    /// A limiter; without a rate, it never waits.
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        Self {
            rate,
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits until so many bytes may be sent. First come, first served.
    pub(crate) async fn acquire(&self, bytes: u64) {
        let Some(rate) = self.rate else {
            return;
        };
        let mut next = self.next.lock().await;
        let start = (*next).max(Instant::now());
        sleep_until(start).await;
        *next = start + rate.time(bytes);
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

    /// Sends chunks of these sizes from so many tasks at once; returns the start and the size of
    /// each, in order.
    async fn send(limiter: &RateLimiter, tasks: usize, sizes: &[u64]) -> Vec<(Duration, u64)> {
        let start = Instant::now();
        let started = std::sync::Mutex::new(Vec::new());
        let task = async |mine: &[u64]| {
            for size in mine {
                limiter.acquire(*size).await;
                started.lock().unwrap().push((start.elapsed(), *size));
            }
        };
        let share = sizes.len().div_ceil(tasks).max(1);
        join_all(sizes.chunks(share).map(task)).await;
        started.into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn eight_tasks_together_keep_the_rate() {
        let limiter = RateLimiter::new(Some(rate("50MiB/s")));
        let sizes: Vec<u64> = (0..400).map(|n| (n % 7 + 1) * MIB / 2).collect();
        let started = send(&limiter, 8, &sizes).await;
        let (last, size) = *started.last().unwrap();
        let all: u64 = sizes.iter().sum();
        let reached = (all - size) as f64 / last.as_secs_f64() / (50 * MIB) as f64;
        assert!((0.999..1.001).contains(&reached), "{reached} of the rate");
    }

    proptest! {
        #[test]
        fn no_period_exceeds_the_rate_by_more_than_one_chunk(
            sizes in proptest::collection::vec(1..64 * MIB, 1..40), tasks in 1..9_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            let limiter = runtime.block_on(async { RateLimiter::new(Some(rate("10MiB/s"))) });
            let started = runtime.block_on(send(&limiter, tasks, &sizes));
            for first in 0..started.len() {
                for last in first..started.len() {
                    let left: u64 = started[first..last].iter().map(|(_, size)| size).sum();
                    // Timers have a resolution of a millisecond.
                    let time = started[last].0 - started[first].0 + Duration::from_millis(2);
                    prop_assert!(rate("10MiB/s").time(left) <= time, "{left} bytes in {time:?}");
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_wait_consumes_no_budget() {
        let limiter = RateLimiter::new(Some(rate("1MiB/s")));
        limiter.acquire(MIB).await;
        for _ in 0..100 {
            assert!(limiter.acquire(64 * MIB).now_or_never().is_none());
        }
        let start = Instant::now();
        limiter.acquire(MIB).await;
        assert!(start.elapsed() <= Duration::from_millis(1001));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_nothing_waits() {
        let limiter = RateLimiter::new(None);
        assert!(limiter.acquire(u64::MAX).now_or_never().is_some());
    }
}
