//! Timestamps: wraps, steps, odd rates and odd rhythms.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

mod clip;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clip::{Clips, assert_gapless, assert_probe_agrees, assert_same_frames, chunks, frame_hashes};
use crispy_media::{Chunk, Chunks, OpenOptions, ReadError, StartKind, Timebase};

const PICTURES: &str = "testsrc2=size=160x90:rate=25:duration=10";
const H264: &str = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 50 -bf 2 -flags +cgop";
/// Ticks of MPEG-TS in a second.
const SECOND: i64 = 90_000;
/// Ticks of MPEG-TS in a frame of 25 a second.
const FRAME: i64 = 3600;

fn frames(chunks: &[Chunk]) -> u32 {
    chunks.iter().map(|chunk| chunk.cut.frames).sum()
}

/// A recording whose clock is set by `step` seconds before its 131st packet, in the middle of a
/// group.
fn stepped(clips: &Clips, step: &str) -> PathBuf {
    let source = clips.make(
        "a.ts",
        PICTURES,
        "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 50 -bf 0",
    );
    let one = clips.convert(
        "one.ts",
        &source,
        "-c copy -copyts -muxdelay 0 -frames:v 130",
    );
    let rest = format!(
        "-c copy -copyts -muxdelay 0 -output_ts_offset {step} -bsf:v noise=drop='lt(n,130)'"
    );
    let two = clips.convert("two.ts", &source, &rest);
    clips.write(
        "stepped.ts",
        &[std::fs::read(one).unwrap(), std::fs::read(two).unwrap()].concat(),
    )
}

fn assert_step(seconds: i64, step: &str) {
    let clips = Clips::new();
    let source = stepped(&clips, step);
    let chunks = chunks(&source, Duration::from_secs(2));
    assert_gapless(&chunks);
    assert_eq!(frames(&chunks), 250);
    let first_after = chunks
        .iter()
        .position(|chunk| chunk.cut.run == 1)
        .expect("a second run");
    let (before, after) = (&chunks[first_after - 1].cut, &chunks[first_after].cut);
    let gap = after.gap_before.unwrap();
    assert!(
        (gap - seconds * SECOND).abs() <= FRAME,
        "a gap of {gap} ticks for a step of {seconds} s"
    );
    assert_eq!(
        chunks[..first_after]
            .iter()
            .map(|chunk| chunk.cut.frames)
            .sum::<u32>(),
        130
    );
    assert!(after.depends_on_previous && !before.depends_on_previous);
    assert_eq!(after.frames, 20, "up to the next key frame");
    assert!(
        chunks[first_after + 1..]
            .iter()
            .all(|chunk| !chunk.cut.depends_on_previous && chunk.cut.run == 1)
    );
}

#[test]
fn a_clock_set_back_ends_the_run_to_the_frame() {
    assert_step(-3, "-3");
}

#[test]
fn a_clock_set_forward_ends_the_run_to_the_frame() {
    assert_step(20, "20");
}

#[test]
fn a_window_of_fractional_ticks_does_not_drift() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 1";
    let source = clips.make("a.mp4", "testsrc2=size=160x90:rate=30:duration=40", options);
    let chunks = chunks(&source, Duration::from_millis(3333));
    for (n, chunk) in chunks.iter().enumerate() {
        let line = Duration::from_millis(3333 * n as u64);
        let start = chunk
            .cut
            .timebase
            .duration(chunk.cut.start_ticks - chunk.cut.origin_ticks);
        let late = start.saturating_sub(line);
        assert!(
            start + Duration::from_micros(500) >= line && late <= Duration::from_millis(34),
            "{n}: {start:?} for {line:?}"
        );
    }
    assert_eq!(chunks.len(), 12);
}

/// Fails unless the timestamps give the source's presentation order.
fn assert_in_order(clips: &Clips, name: &str, source: &Path, reference: &Path) {
    let chunks = chunks(source, Duration::from_secs(2));
    assert_gapless(&chunks);
    assert!(
        chunks.iter().all(|chunk| chunk.cut.pts_inferred),
        "{name} has no times of its own"
    );
    assert_eq!(
        (frames(&chunks), chunks.last().unwrap().cut.run),
        (250, 0),
        "{name}"
    );
    let total: Duration = chunks.iter().map(|chunk| chunk.cut.duration()).sum();
    assert!(
        total.abs_diff(Duration::from_secs(10)) < Duration::from_millis(1),
        "{name}: {total:?}"
    );
    assert_same_frames(
        &clip::hashes_of_joined(clips, &chunks),
        &frame_hashes(reference),
    );
    for chunk in &chunks {
        assert_probe_agrees(chunk);
        let path = clips.write("chunk.mp4", &chunk.bytes);
        let times = clip::ffprobe(&path, "frame=best_effort_timestamp_time");
        let times: Vec<f64> = times
            .iter()
            .filter_map(|line| line.split(',').next()?.parse().ok())
            .collect();
        let leading = if let StartKind::Open { leading } = chunk.cut.start {
            leading
        } else {
            0
        };
        assert_eq!(times.len() as u32 + leading, chunk.cut.frames);
        assert!(
            times
                .windows(2)
                .all(|pair| (pair[1] - pair[0] - 0.04).abs() < 1e-4),
            "{name}: {times:?}"
        );
    }
}

#[test]
fn raw_streams_are_ordered_by_picture_counts() {
    let clips = Clips::new();
    let h265 = "-pix_fmt yuv420p -c:v libx265 -preset ultrafast -x265-params keyint=50:open-gop=0:bframes=3:log-level=none";
    for (name, options) in [("a.h264", H264), ("a.hevc", h265)] {
        let source = clips.make(name, PICTURES, options);
        assert_in_order(&clips, name, &source, &source);
    }
}

#[test]
fn raw_streams_without_reordering_follow_the_frame_rate() {
    let clips = Clips::new();
    let source = clips.make(
        "a.h264",
        PICTURES,
        "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 50 -bf 0",
    );
    assert_in_order(&clips, "a.h264", &source, &source);
}

#[test]
fn raw_streams_have_the_frame_rate_of_their_sets() {
    let clips = Clips::new();
    for (name, codec) in [("a.h264", "libx264"), ("a.hevc", "libx265")] {
        for (rate, ticks) in [("10", 120_000), ("30000/1001", 40_040)] {
            let pictures = format!("testsrc2=size=64x48:rate={rate}:duration=4");
            let options = format!(
                "-pix_fmt yuv420p -c:v {codec} -preset ultrafast -bf 2 -x265-params log-level=none"
            );
            let source = clips.make(name, &pictures, &options);
            let chunks = chunks(&source, Duration::from_secs(1));
            let (first, last) = (&chunks[0].cut, &chunks[chunks.len() - 1].cut);
            let frames: u32 = chunks.iter().map(|chunk| chunk.cut.frames).sum();
            assert_eq!(first.timebase, Timebase::new(1, 1_200_000).unwrap());
            assert_eq!(
                last.end_ticks - first.start_ticks,
                i64::from(frames) * ticks,
                "{name} at {rate}"
            );
        }
    }
}

#[test]
fn avi_is_ordered_too() {
    let clips = Clips::new();
    for (name, options) in [
        ("h264.avi", H264),
        ("mpeg4.avi", "-c:v mpeg4 -g 50 -bf 2 -q:v 5"),
    ] {
        let source = clips.make(name, PICTURES, options);
        assert_in_order(&clips, name, &source, &source);
    }
}

/// Serves motion JPEG over HTTP like a camera: one part for each picture, without timestamps.
fn serve_mjpeg(pictures: Vec<Vec<u8>>, interval: Duration) -> std::net::SocketAddr {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        assert!(client.read(&mut [0; 4096]).unwrap() > 0, "a request");
        let head =
            "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=frame\r\n\r\n";
        client.write_all(head.as_bytes()).unwrap();
        for picture in pictures {
            let part = format!(
                "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
                picture.len()
            );
            let sent = client.write_all(&[part.as_bytes(), &picture, b"\r\n"].concat());
            if sent.is_err() {
                return; // The reader is done.
            }
            std::thread::sleep(interval); // The camera's rhythm, which is tested.
        }
    });
    address
}

#[test]
fn pushed_pictures_are_stamped_by_arrival() {
    let clips = Clips::new();
    let pattern = clips.make(
        "%02d.jpg",
        "testsrc2=size=320x180:rate=5:duration=4",
        "-c:v mjpeg -q:v 5",
    );
    let picture = |n: usize| std::fs::read(pattern.with_file_name(format!("{n:02}.jpg"))).unwrap();
    let address = serve_mjpeg((1..=20).map(picture).collect(), Duration::from_millis(200));
    let options = OpenOptions::new(
        format!("http://{address}/video.mjpg"),
        Duration::from_secs(1),
    );
    let mut source = Chunks::open(&options).unwrap();
    let mut chunks = Vec::new();
    // A camera that hangs up is an error, after all of its pictures.
    let end = loop {
        match source.next_chunk() {
            Ok(Some(chunk)) => chunks.push(chunk),
            Ok(None) => panic!("a camera does not end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(end, ReadError::Io { .. }), "{end:?}");
    assert!(source.next_chunk().unwrap().is_none());
    assert_gapless(&chunks);
    assert_eq!(frames(&chunks), 20);
    assert!(chunks.iter().all(|chunk| chunk.cut.pts_inferred));
    let total: Duration = chunks.iter().map(|chunk| chunk.cut.duration()).sum();
    assert!(
        total.abs_diff(Duration::from_secs(4)) < Duration::from_millis(600),
        "{total:?}"
    );
}
