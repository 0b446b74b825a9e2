//! Groups of pictures as cameras and encoders make them: open, endless, refreshed in passing, begun in the middle.
#![allow(clippy::unwrap_used)] // what only tests call is test code too

mod clip;

use std::path::Path;
use std::time::Duration;

use clip::{
    Clips, assert_gapless, assert_probe_agrees, assert_same_frames, chunks, frame_hashes,
    hashes_of_chunks, hashes_of_joined,
};
use crispy_media::{Chunk, Chunks, ReadError, Spec, StartKind};

const PICTURES: &str = "testsrc2=size=160x90:rate=25:duration=8";

/// Joined, the chunks are the source; alone, each lacks exactly the pictures that it says are leading.
fn assert_only_leading_pictures_are_missing(clips: &Clips, source: &Path, chunks: &[Chunk]) {
    let expected = frame_hashes(source);
    assert_same_frames(&hashes_of_joined(clips, chunks), &expected);
    let mut from = 0;
    for chunk in chunks {
        assert_probe_agrees(chunk);
        let leading = match chunk.cut.start {
            StartKind::Open { leading } => leading as usize,
            StartKind::Idr => 0,
            other => panic!("begins with {other:?}"),
        };
        let to = from + chunk.cut.frames as usize;
        let alone = hashes_of_chunks(clips, std::slice::from_ref(chunk));
        let whole = to - from - leading;
        assert!(
            alone.len() >= whole,
            "{} frames decode alone, {whole} of {} should",
            alone.len(),
            to - from
        );
        assert_same_frames(&alone[alone.len() - whole..], &expected[from + leading..to]);
        from = to;
    }
    assert_eq!(from, expected.len());
}

#[test]
fn open_h264_lacks_its_leading_pictures_only() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 3 -x264-params keyint=25:open-gop=1:scenecut=0";
    for name in ["a.mp4", "a.mkv", "a.ts"] {
        let source = clips.make(name, PICTURES, options);
        let chunks = chunks(&source, Duration::from_secs(1));
        assert_gapless(&chunks);
        let open = chunks
            .iter()
            .filter(|chunk| matches!(chunk.cut.start, StartKind::Open { leading: 1.. }))
            .count();
        assert!(open >= 3, "{open} open chunks of {}", chunks.len());
        assert_only_leading_pictures_are_missing(&clips, &source, &chunks);
    }
}

#[test]
fn open_h265_lacks_its_leading_pictures_only() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx265 -preset ultrafast \
                   -x265-params keyint=27:min-keyint=27:open-gop=1:bframes=3:scenecut=0:log-level=none";
    for name in ["a.mp4", "a.mkv", "a.ts"] {
        let source = clips.make(name, PICTURES, options);
        let chunks = chunks(&source, Duration::from_secs(1));
        assert_gapless(&chunks);
        let open = chunks
            .iter()
            .filter(|chunk| matches!(chunk.cut.start, StartKind::Open { leading: 1.. }))
            .count();
        assert!(open >= 3, "{open} open chunks of {}", chunks.len());
        assert_only_leading_pictures_are_missing(&clips, &source, &chunks);
    }
}

#[test]
fn intra_refresh_is_never_cut_where_decoding_is_not_right_at_once() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 -x264-params intra-refresh=1:keyint=25";
    let source = clips.make("a.mp4", PICTURES, options);
    let chunks = chunks(&source, Duration::from_secs(1));
    assert_eq!(chunks.len(), 1);
    assert_same_frames(&hashes_of_chunks(&clips, &chunks), &frame_hashes(&source));
}

#[test]
fn one_key_frame_in_twenty_five_seconds_makes_one_chunk() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 9999";
    let source = clips.make(
        "a.mp4",
        "testsrc2=size=320x180:rate=10:duration=25",
        options,
    );
    let chunks = chunks(&source, Duration::from_secs(3));
    assert_eq!((chunks.len(), chunks[0].cut.frames), (1, 250));
    assert_same_frames(&hashes_of_chunks(&clips, &chunks), &frame_hashes(&source));
}

#[test]
fn a_group_beyond_the_limit_is_split_and_is_whole_when_joined() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 2 -g 9999 -keyint_min 9999 -sc_threshold 0";
    let source = clips.make("a.mp4", "testsrc2=size=160x90:rate=5:duration=150", options);
    let chunks = chunks(&source, Duration::from_secs(3));
    assert_gapless(&chunks);
    let told: Vec<_> = chunks
        .iter()
        .map(|chunk| (chunk.cut.start, chunk.cut.depends_on_previous))
        .collect();
    assert_eq!(told, [(StartKind::Idr, false), (StartKind::None, true)]);
    assert!(chunks[0].cut.duration() >= Duration::from_secs(119));
    assert_same_frames(&hashes_of_joined(&clips, &chunks), &frame_hashes(&source));
    chunks.iter().for_each(assert_probe_agrees);
}

#[test]
fn a_stream_that_begins_in_mid_group_counts_what_it_could_not_use() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 -g 50 -pat_period 0.05";
    let whole = clips.make("a.ts", PICTURES, options);
    let bytes = std::fs::read(&whole).unwrap();
    let from = bytes.len() / 10 / 188 * 188;
    let source = clips.write("b.ts", &bytes[from..]);
    let chunks = chunks(&source, Duration::from_secs(2));
    let lost = chunks[0].cut.lost;
    assert!(
        (1..50).contains(&lost),
        "{lost} packets before the first key frame"
    );
    assert!(chunks[1..].iter().all(|chunk| chunk.cut.lost == 0));
    assert_eq!(
        chunks.iter().map(|chunk| chunk.cut.frames).sum::<u32>(),
        150
    );
    assert_same_frames(
        &hashes_of_chunks(&clips, &chunks),
        &frame_hashes(&whole)[50..],
    );
}

#[test]
fn a_stream_without_a_key_frame_is_an_error_and_not_silence() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 -g 9999 -pat_period 0.05 -bsf:v dump_extra=freq=all";
    let bytes = std::fs::read(clips.make("a.ts", PICTURES, options)).unwrap();
    let source = clips.write("b.ts", &bytes[bytes.len() / 2 / 188 * 188..]);
    let mut chunks =
        Chunks::open(&Spec::new(source.to_str().unwrap(), Duration::from_secs(2))).unwrap();
    match chunks.next_chunk() {
        Err(ReadError::NoKeyFrame { packets, .. }) => assert!(packets > 50, "{packets}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn intra_refresh_joined_in_the_middle_begins_at_a_recovery_point_and_says_so() {
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
    // once the refresh has passed over the picture, every frame is right
    let expected = frame_hashes(&whole);
    let found = hashes_of_chunks(&clips, &chunks);
    assert_same_frames(&found[found.len() - 50..], &expected[expected.len() - 50..]);
}
