//! What an ingestor measures, by the names of the catalogue.

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

use crate::{open_run::OpenRun, owed::Owed, signs::Signs};

/// A chunk is committed.
pub(crate) fn chunk(run: &RunState, chunk: &ChunkReady) {
    let camera = &of(run);
    INGESTOR_CHUNKS.add(1, camera);
    INGESTOR_FRAMES.add(chunk.frames, camera);
    INGESTOR_IO.add(chunk.size, camera);
}

/// A run begins.
pub(crate) fn run(run: &OpenRun) {
    let camera = &of(run.state());
    INGESTOR_RUNS.add(1, camera);
    // None yet is a number too: an alert hears of the first one as of an increase.
    INGESTOR_GAPS.add(run.gap_before_us().is_some().into(), camera);
    let [site, camera] = *camera;
    INGESTOR_DROPS.add(0, &[site, camera, (REASON, "operator")]);
}

fn of(run: &RunState) -> [(&'static str, &str); 2] {
    [(SITE, &run.site), (CAMERA, &run.camera)]
}

/// A chunk left the spool, and not for the bucket.
pub(crate) fn dropped(camera: &CameraId, reason: &str) {
    let (site, camera) = (camera.site.as_str(), camera.camera.as_str());
    INGESTOR_DROPS.add(1, &[(SITE, site), (CAMERA, camera), (REASON, reason)]);
}

/// What is looked at when somebody asks. The meter keeps it for as long as the process lives, and must not keep the spool.
pub(crate) fn observe(
    site: &Name,
    spool: &Arc<Spool>,
    limit: u64,
    signs: &Signs,
    owed: watch::Receiver<Owed>,
) {
    let (here, there) = (site.clone(), site.clone());
    let (up, ages) = (signs.clone(), signs.clone());
    CAMERA_UP.observe(move || up.up(&here));
    CAMERA_CHUNK_AGE.observe(move || ages.ages(&there));
    let spool: Weak<Spool> = Arc::downgrade(spool);
    SPOOL_USAGE.observe(move || {
        let held = spool.upgrade().map(|spool| spool.bytes_held() as f64);
        held.map(|held| (held, Vec::new())).into_iter().collect()
    });
    SPOOL_LIMIT.observe(move || vec![(limit as f64, Vec::new())]);
    let oldest = owed.clone();
    SPOOL_AGE.observe(move || {
        let oldest = oldest.borrow().oldest_us;
        let age = oldest.map_or(0, |oldest| (now_us() - oldest).max(0));
        vec![(age as f64 / 1e6, Vec::new())]
    });
    OUTBOX_CHUNKS.observe(move || {
        let owed = *owed.borrow();
        let one = |count: usize, outcome: &str| (count as f64, vec![(OUTCOME, outcome.to_owned())]);
        vec![one(owed.waiting, "waiting"), one(owed.parked, "parked")]
    });
}
