//! Metrics of an uploader, by the names of the catalogue. Labels are pure.

use crispy_bucket::Put;
use crispy_fault::{Fault, Kind};
use crispy_proto::v1::ChunkReady;
use crispy_runtime::now_us;
use crispy_telemetry::catalogue::{
    OUTCOME, REASON, UPLOAD_LATENCY, UPLOADER_IO, UPLOADER_PUT, UPLOADER_RETRIES,
};
use tokio::time::Instant;

use crate::retry::Step;

/// Exports counters at 0, so that `increase()` sees the first event.
pub(crate) fn init_at_zero() {
    for reason in ["refused", "damaged", "look_up"] {
        UPLOADER_RETRIES.add(0, &[(REASON, reason)]);
    }
}

/// Records the end of a put.
pub(crate) fn put(start: Instant, size: u64, put: &Result<Put, Fault>) {
    let outcome = match put {
        Ok(put) => outcome_of(put),
        Err(fault) => failure_of(fault.kind()),
    };
    UPLOADER_PUT.record(start.elapsed().as_secs_f64(), &[(OUTCOME, outcome)]);
    if matches!(put, Ok(Put::Stored { .. })) {
        UPLOADER_IO.add(size, &[]);
    }
}

/// The label of an answered put.
pub(crate) fn outcome_of(put: &Put) -> &'static str {
    match put {
        Put::Stored { .. } => "stored",
        Put::AlreadyMine { .. } => "already_there",
        Put::Foreign(_) => "foreign",
    }
}

fn failure_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Corrupt => "damaged",
        Kind::Rejected => "invalid",
        Kind::Unavailable(_) => "away",
        Kind::Transient { .. } | Kind::NotFound | Kind::Conflict => "refused",
    }
}

/// Records a failed attempt that is retried.
pub(crate) fn retried(step: Step, kind: &Kind) {
    UPLOADER_RETRIES.add(1, &[(REASON, reason(step, kind))]);
}

fn reason(step: Step, kind: &Kind) -> &'static str {
    match (step, kind) {
        (_, Kind::Corrupt) => "damaged",
        (Step::LookUp, _) => "look_up",
        _ => "refused",
    }
}

/// Records a chunk that is in the bucket and announced.
pub(crate) fn uploaded(chunk: &ChunkReady) {
    let us = now_us() - chunk.committed_us;
    UPLOAD_LATENCY.record(us.max(0) as f64 / 1e6, &[]);
}

#[cfg(test)]
mod tests {
    use crispy_fault::DependencyId;

    use super::*;

    #[test]
    fn each_label_is_in_the_catalogue() {
        let transient = Fault::transient("503");
        let outage = Fault::unavailable(DependencyId::Bucket("gs://b".into()), "403");
        let damaged = Fault::corrupt("400");
        for (fault, label) in [
            (&transient, "refused"),
            (&outage, "away"),
            (&damaged, "damaged"),
        ] {
            assert_eq!(failure_of(fault.kind()), label);
            assert!(UPLOADER_PUT.row().about.contains(label), "{label}");
        }
        for (step, fault, label) in [
            (Step::Put, &transient, "refused"),
            (Step::Put, &damaged, "damaged"),
            (Step::LookUp, &transient, "look_up"),
        ] {
            assert_eq!(reason(step, fault.kind()), label);
            let about = UPLOADER_RETRIES.row().about;
            assert!(label == "look_up" || about.contains(label), "{label}");
        }
    }
}
