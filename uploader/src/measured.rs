//! What an uploader measures, by the names of the catalogue. Outcomes and reasons are pure.

use crispy_bucket::{Put, PutError};
use crispy_proto::v1::ChunkReady;
use crispy_runtime::now_us;
use crispy_telemetry::catalogue::{
    OUTCOME, REASON, UPLOAD_LATENCY, UPLOADER_IO, UPLOADER_PUT, UPLOADER_RETRIES,
};
use tokio::time::Instant;

use crate::classify::UploadError;

/// Nothing has happened yet, which is a number too: an alert hears of the first time as of an increase.
pub(crate) fn begins() {
    for reason in ["refused", "damaged", "look_up"] {
        UPLOADER_RETRIES.add(0, &[(REASON, reason)]);
    }
}

/// A put that `begun` then has ended.
pub(crate) fn put(begun: Instant, size: u64, put: &Result<Put, UploadError>) {
    UPLOADER_PUT.record(begun.elapsed().as_secs_f64(), &[(OUTCOME, outcome(put))]);
    if matches!(put, Ok(Put::Stored { .. })) {
        UPLOADER_IO.add(size, &[]);
    }
}

fn outcome(put: &Result<Put, UploadError>) -> &'static str {
    match put {
        Ok(Put::Stored { .. }) => "stored",
        Ok(Put::AlreadyMine { .. }) => "already_there",
        Ok(Put::Foreign(_)) => "foreign",
        Err(UploadError::Put(PutError::Damaged { .. })) => "damaged",
        Err(UploadError::Put(PutError::Invalid { .. })) => "invalid",
        Err(UploadError::Put(PutError::Unavailable { .. }) | UploadError::Away(_)) => "away",
        Err(_) => "refused",
    }
}

/// An attempt failed, and is made again.
pub(crate) fn again(error: &UploadError) {
    UPLOADER_RETRIES.add(1, &[(REASON, reason(error))]);
}

fn reason(error: &UploadError) -> &'static str {
    match error {
        UploadError::Put(PutError::Damaged { .. }) => "damaged",
        UploadError::LookUp(_) => "look_up",
        _ => "refused",
    }
}

/// A chunk is in the bucket, and that has been said.
pub(crate) fn uploaded(chunk: &ChunkReady) {
    let us = now_us() - chunk.committed_us;
    UPLOAD_LATENCY.record(us.max(0) as f64 / 1e6, &[]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> UploadError {
        UploadError::Put(PutError::Transient {
            object: "o".into(),
            source: "503".into(),
            retry_after: None,
        })
    }

    fn away() -> UploadError {
        UploadError::Put(PutError::Unavailable {
            object: "o".into(),
            source: "403".into(),
            retry_after: None,
        })
    }

    fn damaged() -> UploadError {
        UploadError::Put(PutError::Damaged {
            object: "o".into(),
            source: "400".into(),
        })
    }

    #[test]
    fn each_end_of_a_put_has_a_word_that_the_page_of_metrics_knows() {
        let stored = Put::Stored {
            generation: String::new(),
        };
        let silent = UploadError::Away(crate::destination::Absence::Silent);
        let ends = [
            (Ok(stored), "stored"),
            (Err(refused()), "refused"),
            (Err(away()), "away"),
            (Err(silent), "away"),
            (Err(damaged()), "damaged"),
        ];
        for (end, word) in ends {
            assert_eq!(outcome(&end), word, "{end:?}");
            assert!(UPLOADER_PUT.row().about.contains(word), "{word}");
        }
        for (error, word) in [(refused(), "refused"), (damaged(), "damaged")] {
            assert_eq!(reason(&error), word);
            assert!(UPLOADER_RETRIES.row().about.contains(word), "{word}");
        }
    }
}
