//! Metrics of an inspector, by the names of the catalogue.

use crispy_proto::{id::ChunkId, v1::ChunkInspected};
use crispy_telemetry::catalogue::{
    CAMERA, FIELD, INSPECTION_LATENCY, INSPECTOR_DISAGREEMENTS, INSPECTOR_INSPECTIONS,
    INSPECTOR_IO, OUTCOME, SITE,
};

/// Records bytes read of an object, of any outcome.
pub(crate) fn read(bytes: u64) {
    INSPECTOR_IO.add(bytes, &[]);
}

/// Records a chunk that was inspected and announced.
pub(crate) fn inspected(id: &ChunkId, inspected: &ChunkInspected) {
    let (site, camera) = (id.camera.site.as_str(), id.camera.camera.as_str());
    // Both outcomes are exported from the first one on, so that `increase()` sees the first event.
    for (outcome, holds) in [
        ("agrees", inspected.agrees),
        ("disagrees", !inspected.agrees),
    ] {
        let of = [(SITE, site), (CAMERA, camera), (OUTCOME, outcome)];
        INSPECTOR_INSPECTIONS.add(holds.into(), &of);
    }
    // A dozen fields at most: those of `compare`.
    for differs in &inspected.disagreements {
        let of = [(SITE, site), (CAMERA, camera), (FIELD, &differs.field)];
        INSPECTOR_DISAGREEMENTS.add(1, &of);
    }
    let chunk = inspected
        .upload
        .as_ref()
        .and_then(|upload| upload.chunk.as_ref());
    if let Some(chunk) = chunk {
        let us = inspected.inspected_us - chunk.committed_us;
        INSPECTION_LATENCY.record(us.max(0) as f64 / 1e6, &[]);
    }
}
