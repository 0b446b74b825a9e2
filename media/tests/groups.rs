//! Groups of pictures without a key frame at their start.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

mod clip;

use std::time::Duration;

use clip::{Clips, assert_same_frames, chunks, frame_hashes, hashes_of_chunks};
use crispy_media::{Chunks, OpenOptions, ReadError, StartKind};

const PICTURES: &str = "testsrc2=size=160x90:rate=25:duration=8";

#[test]
fn a_stream_without_a_key_frame_is_an_error() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 -g 9999 -pat_period 0.05 -bsf:v dump_extra=freq=all";
    let bytes = std::fs::read(clips.make("a.ts", PICTURES, options)).unwrap();
    let source = clips.write("b.ts", &bytes[bytes.len() / 2 / 188 * 188..]);
    let mut chunks = Chunks::open(&OpenOptions::new(
        source.to_str().unwrap(),
        Duration::from_secs(2),
    ))
    .unwrap();
    match chunks.next_chunk() {
        Err(ReadError::NoKeyFrame { packets, .. }) => assert!(packets > 50, "{packets}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn intra_refresh_joined_late_begins_at_a_recovery_point() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 -pat_period 0.05 \
                   -x264-params intra-refresh=1:keyint=25 -bsf:v dump_extra=freq=keyframe";
    let whole = clips.make("a.ts", PICTURES, options);
    let bytes = std::fs::read(&whole).unwrap();
    let source = clips.write("b.ts", &bytes[bytes.len() / 2 / 188 * 188..]);
    let chunks = chunks(&source, Duration::from_secs(2));
    assert_eq!(chunks.len(), 1);
    let cut = &chunks[0].cut;
    assert_eq!(
        (cut.start, cut.depends_on_previous),
        (StartKind::RecoveryPoint, false)
    );
    // After a whole refresh, every frame is correct.
    let expected = frame_hashes(&whole);
    let found = hashes_of_chunks(&clips, &chunks);
    assert_same_frames(&found[found.len() - 50..], &expected[expected.len() - 50..]);
}
