//! What an inspector measures, by the names of the catalogue.

use instruments::catalogue::{
    CAMERA, FIELD, INSPECTION_LATENCY, INSPECTOR_DISAGREEMENTS, INSPECTOR_INSPECTIONS,
    INSPECTOR_IO, OUTCOME,
};
use proto::{id::ChunkId, v1::ChunkInspected};

/// Bytes of an object were read, whatever they said.
pub(crate) fn read(bytes: u64) {
    INSPECTOR_IO.add(bytes, &[]);
}

/// A chunk was inspected, and that has been said.
pub(crate) fn inspected(id: &ChunkId, inspected: &ChunkInspected) {
    let camera = id.camera.camera.as_str();
    let outcome = if inspected.agrees {
        "agrees"
    } else {
        "disagrees"
    };
    INSPECTOR_INSPECTIONS.add(1, &[(CAMERA, camera), (OUTCOME, outcome)]);
    // Fields are those that `agree` compares: a dozen.
    for differs in &inspected.disagreements {
        INSPECTOR_DISAGREEMENTS.add(1, &[(CAMERA, camera), (FIELD, &differs.field)]);
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
