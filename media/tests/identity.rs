//! Every frame of the source is in the chunks, once, and every chunk plays alone.
#![allow(clippy::unwrap_used)] // what only tests call is test code too

mod clip;

use std::path::Path;
use std::time::Duration;

use clip::{Clips, assert_same_frames, chunks, ffprobe, frame_hashes, hashes_of_chunks};
use crispy_media::{Chunk, Codec, Container, StartKind};

const PICTURES: &str = "testsrc2=size=320x180:rate=25:duration=7";
const H264: &str = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25 -bf 0";
const H264_B: &str = "-pix_fmt yuv420p -c:v libx264 -preset veryfast -g 25 -bf 3 -flags +cgop";
const H265: &str = "-pix_fmt yuv420p -c:v libx265 -preset ultrafast -x265-params keyint=25:open-gop=0:bframes=3:log-level=none";

/// The length of the source's video in ticks of 1/90000 s, by the timestamps of its packets.
fn source_ticks(path: &Path) -> f64 {
    let times = ffprobe(path, "packet=pts_time,duration_time");
    let parse = |line: &String| -> (f64, f64) {
        let (pts, duration) = line.split_once(',').unwrap();
        (pts.parse().unwrap(), duration.parse().unwrap())
    };
    let times: Vec<_> = times
        .iter()
        .filter(|line| line.contains(','))
        .map(parse)
        .collect();
    let first = times
        .iter()
        .map(|time| time.0)
        .fold(f64::INFINITY, f64::min);
    let last = times
        .iter()
        .copied()
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .unwrap();
    (last.0 + last.1 - first) * 90_000.0
}

fn total_ticks(chunks: &[Chunk]) -> f64 {
    let seconds = |chunk: &Chunk| {
        let base = chunk.cut.timebase;
        chunk.cut.duration_ticks() as f64 * f64::from(base.num()) / f64::from(base.den())
    };
    chunks.iter().map(seconds).sum::<f64>() * 90_000.0
}

fn assert_identical(name: &str, options: &str, codec: Codec, tolerance: f64) {
    let clips = Clips::new();
    let source = clips.make(name, PICTURES, options);
    let chunks = chunks(&source, Duration::from_secs(2));
    assert_eq!(chunks.len(), 4, "7 s in windows of 2 s");
    for pair in chunks.windows(2) {
        assert_eq!(pair[0].cut.end_ticks, pair[1].cut.start_ticks);
    }
    for chunk in &chunks {
        assert_eq!(chunk.container, Container::Mp4);
        assert_eq!(
            (chunk.format.codec, chunk.format.width, chunk.format.height),
            (codec, 320, 180)
        );
        assert_eq!(
            (
                chunk.format.pixel_format.as_str(),
                chunk.format.channels,
                chunk.format.bit_depth
            ),
            ("yuv420p", 3, 8)
        );
        assert_eq!(
            (chunk.cut.start, chunk.cut.lost, chunk.cut.corrupt),
            (StartKind::Idr, 0, 0)
        );
        assert!(
            !chunk.cut.pts_inferred && !chunk.cut.end_inferred && !chunk.cut.depends_on_previous
        );
    }
    let off = (total_ticks(&chunks) - source_ticks(&source)).abs();
    assert!(off <= tolerance, "{off} ticks of 1/90000 s off");
    let expected = frame_hashes(&source);
    assert_eq!(expected.len(), 175);
    assert_same_frames(&hashes_of_chunks(&clips, &chunks), &expected);
}

/// ffprobe prints microseconds: two of them are less than a fifth of a tick.
const TICK: f64 = 0.5;
/// Matroska counts milliseconds.
const MILLISECOND: f64 = 90.0;

#[test]
fn h264_in_mp4() {
    assert_identical("a.mp4", H264, Codec::H264, TICK);
}

#[test]
fn h264_in_mkv() {
    assert_identical("a.mkv", H264, Codec::H264, MILLISECOND);
}

#[test]
fn h264_in_mpegts() {
    assert_identical("a.ts", H264, Codec::H264, TICK);
}

#[test]
fn h264_with_b_frames_in_mp4() {
    assert_identical("a.mp4", H264_B, Codec::H264, TICK);
}

#[test]
fn h264_with_b_frames_in_mkv() {
    assert_identical("a.mkv", H264_B, Codec::H264, MILLISECOND);
}

#[test]
fn h264_with_b_frames_in_mpegts() {
    assert_identical("a.ts", H264_B, Codec::H264, TICK);
}

#[test]
fn h265_in_mp4() {
    assert_identical("a.mp4", H265, Codec::H265, TICK);
}

#[test]
fn h265_in_mkv() {
    assert_identical("a.mkv", H265, Codec::H265, MILLISECOND);
}

#[test]
fn h265_in_mpegts() {
    assert_identical("a.ts", H265, Codec::H265, TICK);
}

#[test]
fn the_same_source_gives_the_same_bytes() {
    let clips = Clips::new();
    let source = clips.make("a.mp4", PICTURES, H264_B);
    let bytes = || {
        chunks(&source, Duration::from_secs(3))
            .into_iter()
            .map(|chunk| chunk.bytes)
            .collect::<Vec<_>>()
    };
    assert_eq!(bytes(), bytes());
}
