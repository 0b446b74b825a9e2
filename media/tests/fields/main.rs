//! Interlaced video as some cameras send it: each field of a picture in a packet of its own. No encoder at hand writes it,
//! so the stream is written here, bit by bit, of pictures that are not compressed.
#![allow(clippy::unwrap_used)] // what only tests call is test code too

#[path = "../clip/mod.rs"]
mod clip;
mod stream;

use std::time::Duration;

use clip::{Clips, assert_gapless, assert_same_frames, chunks, frame_hashes, hashes_of_chunks};

#[test]
fn two_fields_in_two_packets_are_one_frame() {
    let clips = Clips::new();
    let source = clips.write("a.h264", &stream::of_fields(50, 25));
    let expected = frame_hashes(&source);
    assert_eq!(expected.len(), 50, "FFmpeg shows frames");
    let chunks = chunks(&source, Duration::from_secs(1));
    assert_gapless(&chunks);
    assert!(chunks.len() >= 2);
    let counted = |what: fn(&crispy_media::Chunk) -> u32| chunks.iter().map(what).sum::<u32>();
    assert_eq!(counted(|chunk| chunk.cut.packets), 100);
    assert_eq!(counted(|chunk| chunk.cut.frames), 50);
    assert_same_frames(&hashes_of_chunks(&clips, &chunks), &expected);
}
