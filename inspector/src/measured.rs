//! What an inspector measures, by the names of the catalogue.

use crispy_proto::{id::ChunkId, v1::ChunkInspected};
use crispy_telemetry::catalogue::{
    CAMERA, FIELD, INSPECTION_LATENCY, INSPECTOR_DISAGREEMENTS, INSPECTOR_INSPECTIONS,
    INSPECTOR_IO, OUTCOME, SITE,
};

/// Bytes of an object were read, whatever they said.
pub(crate) fn read(bytes: u64) {
    INSPECTOR_IO.add(bytes, &[]);
}

/// A chunk was inspected, and that has been said.
pub(crate) fn inspected(id: &ChunkId, inspected: &ChunkInspected) {
    let (site, camera) = (id.camera.site.as_str(), id.camera.camera.as_str());
    // None yet is a number too: an alert hears of the first one as of an increase.
    for (outcome, holds) in [
        ("agrees", inspected.agrees),
        ("disagrees", !inspected.agrees),
    ] {
        let of = [(SITE, site), (CAMERA, camera), (OUTCOME, outcome)];
        INSPECTOR_INSPECTIONS.add(holds.into(), &of);
    }
    // Fields are those that `agree` compares: a dozen.
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
