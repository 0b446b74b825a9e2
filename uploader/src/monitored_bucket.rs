//! The bucket with a rate limit, and a probe that tells an outage from a slow put.
//!
//! ```text
//!   put ── rate limit ──► put_once ── answer
//!                             └─ silent for 10 s? ── probe: is it writable?
//!                                                      ├─ yes: wait on, probe again
//!                                                      └─ no, or no answer: an outage
//! ```
//!
//! A store that never answers is detected in half a minute, before its puts time out, and a put
//! that is only slow continues.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use crispy_bucket::{Bucket, Lookup, Metadata, Put};
use crispy_checksum::Checksums;
use crispy_fault::{DependencyId, Fault};
use crispy_telemetry::context;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout},
};
use tracing::Span;

use crate::{
    metrics,
    rate_limiter::{Rate, RateLimiter},
};

/// The silence of a put after which the bucket is probed.
const SILENCE: Duration = Duration::from_secs(10);

/// For the answer to a probe. Five times the worker's own, since our own uploads may fill a narrow
/// line.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest silence of a put, after any number of false alarms.
const MAX_SILENCE: Duration = Duration::from_secs(320);

/// A bucket, and the state of its health.
#[derive(Debug)]
pub(crate) struct MonitoredBucket {
    bucket: Bucket,
    limiter: RateLimiter,
    /// Largest size rejected since the bucket was last healthy. Probes use it: a nearly full disk
    /// still accepts small objects, and a network may break only large requests, so a smaller probe
    /// would make the breaker open and close repeatedly.
    largest_rejected: AtomicU64,
    /// Outages in a row that were declared because of silence. On a line so narrow that our own
    /// uploads delay the probe, each of them ends uploads that were making progress. So each
    /// doubles the next silence, until a put succeeds.
    alarms: AtomicU32,
    /// The start of the latest successful probe. Locked during a probe: one answer serves all tasks
    /// that wait for it.
    last_healthy: Mutex<Option<Instant>>,
}

impl MonitoredBucket {
    pub(crate) fn new(bucket: Bucket, rate: Option<Rate>) -> Self {
        Self {
            bucket,
            limiter: RateLimiter::new(rate),
            largest_rejected: AtomicU64::default(),
            alarms: AtomicU32::default(),
            last_healthy: Mutex::default(),
        }
    }

    pub(crate) fn inner(&self) -> &Bucket {
        &self.bucket
    }

    /// Creates an object, once the rate limit permits. It was sent `resent` times before.
    pub(crate) async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: &Checksums,
        metadata: &Metadata,
        resent: u32,
    ) -> Result<Put, Fault> {
        let size = bytes.len() as u64;
        self.limiter.acquire(size).await;
        let put = async {
            Span::current().record("bytes", size);
            let put = self.bucket.put_once(key, bytes, checksums, metadata);
            let put = self.put_or_outage(size, put).await;
            if let Ok(put) = &put {
                Span::current().record("outcome", metrics::outcome_of(put));
            }
            context::record_error(put)
        };
        self.bucket.in_span("PUT", key, resent, put).await
    }

    async fn put_or_outage(
        &self,
        size: u64,
        put: impl Future<Output = Result<Put, Fault>>,
    ) -> Result<Put, Fault> {
        let start = Instant::now();
        let put = async {
            let put = put.await;
            match &put {
                Ok(_) => self.alarms.store(0, Relaxed),
                Err(fault) if fault.is_unavailable() => {
                    self.largest_rejected.fetch_max(size, Relaxed);
                }
                Err(_) => {}
            }
            put
        };
        let put = self.or_outage(put).await;
        metrics::put(start, size, &put);
        put
    }

    /// Looks up whether an object exists and has these bytes. It was asked `resent` times before.
    pub(crate) async fn look_up(
        &self,
        key: &str,
        size: u64,
        sha256: &[u8; 32],
        resent: u32,
    ) -> Result<Lookup, Fault> {
        let lookup = self.or_outage(self.bucket.lookup(key, size, sha256));
        let lookup = async { context::record_error(lookup.await) };
        self.bucket.in_span("HEAD", key, resent, lookup).await
    }

    /// Checks that an object of this size can be created now, and of any size that was rejected
    /// before, as far as the bucket can tell ([`Bucket::check_writable`]). Every fault is an
    /// outage.
    pub(crate) async fn probe(&self, size: u64) -> Result<(), Fault> {
        let size = size.max(self.largest_rejected.load(Relaxed));
        let silent = || Fault::transient(format!("no answer within {PROBE_TIMEOUT:?}"));
        let answer = timeout(PROBE_TIMEOUT, self.bucket.check_writable(size)).await;
        answer.unwrap_or_else(|_| Err(silent())).map_err(|fault| {
            self.largest_rejected.fetch_max(size, Relaxed);
            fault
                .into_outage(DependencyId::Bucket(self.bucket.url().to_owned()))
                .context("probe bucket")
        })
    }

    /// Probes, and forgets rejected sizes if the bucket is healthy.
    pub(crate) async fn has_recovered(&self) -> bool {
        let recovered = self.probe(0).await.is_ok();
        if recovered {
            self.largest_rejected.store(0, Relaxed);
        }
        recovered
    }

    /// The result of `work`, or the outage that a probe detects before its end.
    async fn or_outage<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        tokio::select! {
            biased;
            done = work => done,
            outage = self.until_outage() => Err(outage.context("wait for the bucket")),
        }
    }

    async fn until_outage(&self) -> Fault {
        loop {
            let start = Instant::now();
            sleep(silence(self.alarms.load(Relaxed))).await;
            if let Err(outage) = self.probe_since(start).await {
                self.alarms.fetch_add(1, Relaxed);
                return outage;
            }
        }
    }

    /// Probes, unless another task has probed since `start`.
    async fn probe_since(&self, start: Instant) -> Result<(), Fault> {
        let mut last_healthy = self.last_healthy.lock().await;
        if last_healthy.is_none_or(|probed| probed < start) {
            let now = Instant::now();
            self.probe(0).await?;
            *last_healthy = Some(now);
        }
        Ok(())
    }
}

/// The silence of a put after so many alarms.
fn silence(alarms: u32) -> Duration {
    SILENCE
        .saturating_mul(1_u32.checked_shl(alarms).unwrap_or(u32::MAX))
        .min(MAX_SILENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alarm_doubles_the_silence_up_to_a_limit() {
        let seconds = [0, 1, 2, 5, 6, 31, 32, u32::MAX].map(|alarms| silence(alarms).as_secs());
        assert_eq!(seconds, [10, 20, 40, 320, 320, 320, 320, 320]);
    }
}
