//! The ingestor's metrics, by the names of the catalogue.

use std::sync::{Arc, Weak};

use crispy_proto::{
    id::{CameraId, Name},
    v1::{ChunkReady, RunState},
};
use crispy_runtime::now_us;
use crispy_spool::Spool;
use crispy_telemetry::catalogue::{
    CAMERA, CAMERA_CHUNK_AGE, CAMERA_UP, INGESTOR_CHUNKS, INGESTOR_DROPS, INGESTOR_FRAMES,
    INGESTOR_GAPS, INGESTOR_IO, INGESTOR_RUNS, OUTBOX_CHUNKS, OUTCOME, REASON, SITE, SPOOL_AGE,
    SPOOL_LIMIT, SPOOL_USAGE,
};
use tokio::sync::watch;

use crate::camera::{run::CurrentRun, status::CameraStatus};

/// The chunks of the outbox, as of some seconds ago at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Chunks that may still be confirmed.
    pub(crate) waiting: usize,
    /// Chunks that an uploader gave up.
    pub(crate) parked: usize,
    /// The commit of the oldest waiting chunk, in Unix microseconds. A parked one waits for a
    /// person, so its age tells nothing about the queue.
    pub(crate) oldest_us: Option<i64>,
}

/// Counts a committed chunk.
pub(crate) fn count_chunk(run: &RunState, chunk: &ChunkReady) {
    let camera = &labels(run);
    INGESTOR_CHUNKS.add(1, camera);
    INGESTOR_FRAMES.add(chunk.frames, camera);
    INGESTOR_IO.add(chunk.size, camera);
}

/// Counts a new run.
pub(crate) fn count_run(run: &CurrentRun) {
    let camera = &labels(run.state());
    INGESTOR_RUNS.add(1, camera);
    // Exports counters at 0, so that `increase()` sees the first event.
    INGESTOR_GAPS.add(run.gap_before_us().is_some().into(), camera);
    let [site, camera] = *camera;
    INGESTOR_DROPS.add(0, &[site, camera, (REASON, "operator")]);
}

fn labels(run: &RunState) -> [(&'static str, &str); 2] {
    [(SITE, &run.site), (CAMERA, &run.camera)]
}

/// Counts a chunk that left the spool without reaching the bucket.
pub(crate) fn count_drop(camera: &CameraId, reason: &str) {
    let (site, camera) = (camera.site.as_str(), camera.camera.as_str());
    INGESTOR_DROPS.add(1, &[(SITE, site), (CAMERA, camera), (REASON, reason)]);
}

/// Registers the gauges. The meter keeps them for the life of the process, so they must not keep
/// the spool.
pub(crate) fn observe(
    site: &Name,
    spool: &Arc<Spool>,
    limit: u64,
    status: &CameraStatus,
    pending: watch::Receiver<Pending>,
) {
    let (up_site, age_site) = (site.clone(), site.clone());
    let (up, ages) = (status.clone(), status.clone());
    CAMERA_UP.observe(move || up.up(&up_site));
    CAMERA_CHUNK_AGE.observe(move || ages.ages(&age_site));
    let spool: Weak<Spool> = Arc::downgrade(spool);
    SPOOL_USAGE.observe(move || {
        let held = spool.upgrade().map(|spool| spool.bytes_held() as f64);
        held.map(|held| (held, Vec::new())).into_iter().collect()
    });
    SPOOL_LIMIT.observe(move || vec![(limit as f64, Vec::new())]);
    let oldest = pending.clone();
    SPOOL_AGE.observe(move || {
        let oldest = oldest.borrow().oldest_us;
        let age = oldest.map_or(0, |oldest| (now_us() - oldest).max(0));
        vec![(age as f64 / 1e6, Vec::new())]
    });
    OUTBOX_CHUNKS.observe(move || {
        let pending = *pending.borrow();
        let count =
            |count: usize, outcome: &str| (count as f64, vec![(OUTCOME, outcome.to_owned())]);
        vec![
            count(pending.waiting, "waiting"),
            count(pending.parked, "parked"),
        ]
    });
}
