//! Synthetic chunks, the same for all tests.

use crispy_proto::{
    id::{CameraId, ChunkId, Run},
    v1::ChunkReady,
};

pub(crate) fn camera() -> CameraId {
    "demo/front".parse().unwrap()
}

pub(crate) fn chunk(sequence: u64) -> ChunkReady {
    let id = ChunkId {
        camera: camera(),
        run: Run::new(1_763_839_803_000, [7; 10]),
        sequence,
    };
    ChunkReady {
        id: Some(id.to_wire()),
        committed_us: 17,
        ..ChunkReady::default()
    }
}
