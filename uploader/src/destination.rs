//! The bucket, as uploads meet it: puts in turn, none of them waited for in vain, and the one question that tells an outage from a chunk's own
//! trouble.
//!
//! ```text
//!   put ── turn (pace) ──► put_once ──────────────── answer
//!                             └─ silent for 10 s? ── ask: may I write? ── yes: wait on, ask again
//!                                                                      └─ no, or no answer: the bucket is away
//! ```
//!
//! A store that swallows what it is sent is found out in half a minute, before its puts time out, and a put that is only slow is left alone.

use std::{
    future::Future,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use bytes::Bytes;
use crispy_bucket::{Bucket, Lookup, Metadata, Put, PutError};
use crispy_checksum::Checksums;
use crispy_telemetry::context;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout},
};
use tracing::Span;

use crate::{
    classify::UploadError,
    measured,
    pace::{Pace, Rate},
};

/// How long a put may be silent before the bucket is asked.
const SILENCE: Duration = Duration::from_secs(10);

/// How long the bucket may take to answer the question. Five times what the worker's own probe gives it, since here a narrow line may be full of
/// our own uploads.
const ANSWER: Duration = Duration::from_secs(10);

/// The longest that a put may be silent, after however many false alarms.
const LONGEST_SILENCE: Duration = Duration::from_secs(320);

/// A bucket, and what this process knows of it.
#[derive(Debug)]
pub struct Destination {
    bucket: Bucket,
    pace: Pace,
    /// The size of the largest object that the bucket did not take since it was last there: a disk that is almost full takes small ones still,
    /// as does a way there that breaks large requests, and a probe that is smaller than the work would call it back, and away again, for as
    /// long as it stays so.
    refused: AtomicU64,
    /// How often in a row the bucket was called away because it was silent. On a line that is so narrow that our own uploads drown the question,
    /// each such call ends uploads that were getting on; so the next waits twice as long, until one gets through.
    alarms: AtomicU32,
    /// When the latest question was asked that was answered well. Held by whoever asks: many hands that wait need one answer.
    well: Mutex<Option<Instant>>,
}

/// The bucket is away, by its own word or for want of one.
#[derive(Debug, thiserror::Error)]
pub enum Absence {
    /// It says so.
    #[error("ask whether the bucket can be written")]
    Refused(#[source] PutError),
    /// It says nothing.
    #[error("the bucket is silent: no answer within {ANSWER:?} to whether it can be written")]
    Silent,
}

impl Destination {
    /// `bucket`, written at most at this `rate`.
    pub fn new(bucket: Bucket, rate: Option<Rate>) -> Self {
        Self {
            bucket,
            pace: Pace::new(rate),
            refused: AtomicU64::default(),
            alarms: AtomicU32::default(),
            well: Mutex::default(),
        }
    }

    /// The bucket itself.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Creates an object, when it is its turn. It was sent in vain `resent` times before.
    pub async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: &Checksums,
        metadata: &Metadata,
        resent: u32,
    ) -> Result<Put, UploadError> {
        let size = bytes.len() as u64;
        self.pace.turn(size).await;
        let put = async {
            Span::current().record("bytes", size);
            let put = self.bucket.put_once(key, bytes, checksums, metadata);
            let put = self.put_unless_away(size, put).await;
            if let Ok(put) = &put {
                Span::current().record("outcome", outcome_of(put));
            }
            context::record_error(put)
        };
        self.bucket.in_span("PUT", key, resent, put).await
    }

    async fn put_unless_away(
        &self,
        size: u64,
        put: impl Future<Output = Result<Put, PutError>>,
    ) -> Result<Put, UploadError> {
        let begun = Instant::now();
        let put = self.unless_away(put).await;
        let put = put.and_then(|put| put.map_err(UploadError::Put));
        measured::put(begun, size, &put);
        match &put {
            Ok(_) => self.alarms.store(0, Ordering::Relaxed),
            Err(UploadError::Put(PutError::Unavailable { .. })) => {
                self.refused.fetch_max(size, Ordering::Relaxed);
            }
            Err(_) => {}
        }
        put
    }

    /// Asks whether an object is there and has these bytes. It was asked in vain `resent` times before.
    pub async fn look_up(
        &self,
        key: &str,
        size: u64,
        sha256: &[u8; 32],
        resent: u32,
    ) -> Result<Lookup, UploadError> {
        let look = async {
            let found = self.unless_away(self.bucket.lookup(key, size, sha256));
            context::record_error(match found.await {
                Ok(found) => found.map_err(UploadError::LookUp),
                Err(away) => Err(away),
            })
        };
        self.bucket.in_span("HEAD", key, resent, look).await
    }

    /// Whether an object of this size can be created there now, and of any that was refused before, as far as the bucket can tell
    /// ([`Bucket::check_writable`]).
    pub async fn ask(&self, size: u64) -> Result<(), Absence> {
        let size = size.max(self.refused.load(Ordering::Relaxed));
        let answer = match timeout(ANSWER, self.bucket.check_writable(size)).await {
            Ok(answer) => answer.map_err(Absence::Refused),
            Err(_) => Err(Absence::Silent),
        };
        if answer.is_err() {
            self.refused.fetch_max(size, Ordering::Relaxed);
        }
        answer
    }

    /// [`Self::ask`], and forgets what was refused when it is back.
    pub async fn is_back(&self) -> bool {
        let back = self.ask(0).await.is_ok();
        if back {
            self.refused.store(0, Ordering::Relaxed);
        }
        back
    }

    /// What becomes of `work`, unless the bucket is found away before its end.
    async fn unless_away<T>(&self, work: impl Future<Output = T>) -> Result<T, UploadError> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            absence = self.until_away() => Err(UploadError::Away(absence)),
        }
    }

    async fn until_away(&self) -> Absence {
        loop {
            let begun = Instant::now();
            sleep(patience(self.alarms.load(Ordering::Relaxed))).await;
            if let Err(absence) = self.ask_since(begun).await {
                self.alarms.fetch_add(1, Ordering::Relaxed);
                return absence;
            }
        }
    }

    /// [`Self::ask`], unless somebody has asked after `begun`.
    async fn ask_since(&self, begun: Instant) -> Result<(), Absence> {
        let mut well = self.well.lock().await;
        if well.is_none_or(|asked| asked < begun) {
            let now = Instant::now();
            self.ask(0).await?;
            *well = Some(now);
        }
        Ok(())
    }
}

/// What came of a put, in a word.
fn outcome_of(put: &Put) -> &'static str {
    match put {
        Put::Stored { .. } => "stored",
        Put::AlreadyMine { .. } => "already_there",
        Put::Foreign(_) => "foreign",
    }
}

/// How long a put may be silent after so many alarms.
fn patience(alarms: u32) -> Duration {
    SILENCE
        .saturating_mul(1_u32.checked_shl(alarms).unwrap_or(u32::MAX))
        .min(LONGEST_SILENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_narrow_for_the_question_is_given_twice_the_time_until_a_put_gets_through()
    {
        let seconds = [0, 1, 2, 5, 6, 31, 32, u32::MAX].map(|alarms| patience(alarms).as_secs());
        assert_eq!(seconds, [10, 20, 40, 320, 320, 320, 320, 320]);
    }
}
