//! A chunk's facts about its pictures: rotation, codec strings, containers.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

mod clip;

use std::path::Path;
use std::time::Duration;

use clip::{
    Clips, assert_probe_agrees, assert_same_frames, chunks, ffprobe, frame_hashes,
    hashes_of_chunks, turned,
};
use crispy_media::{Chunks, Container, OpenError, OpenOptions};

const PICTURES: &str = "testsrc2=size=160x92:rate=25:duration=6";
const WINDOW: Duration = Duration::from_secs(2);

#[test]
fn rotation_survives() {
    let clips = Clips::new();
    let h264 = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25";
    let plain = clips.make("plain.mp4", PICTURES, h264);
    for (degrees, matrix) in [
        (90, [0, 1, -1, 0]),
        (180, [-1, 0, 0, -1]),
        (270, [0, -1, 1, 0]),
    ] {
        let source = turned(&clips, &plain, matrix);
        // ffprobe counts counterclockwise.
        let rotation = |path: &Path| {
            ffprobe(path, "stream_side_data=rotation")
                .concat()
                .parse::<i32>()
                .unwrap()
        };
        assert_eq!((degrees + rotation(&source)).rem_euclid(360), 0);
        let chunks = chunks(&source, WINDOW);
        for chunk in &chunks {
            assert_eq!(chunk.format.rotation_degrees, degrees);
            assert_eq!(
                rotation(&clips.write("chunk.mp4", &chunk.bytes)),
                rotation(&source)
            );
            assert_probe_agrees(chunk);
        }
        assert_same_frames(&hashes_of_chunks(&clips, &chunks), &frame_hashes(&source));
    }
}

/// The codec strings equal those of FFmpeg's DASH muxer, which are made by independent code.
#[test]
fn codec_strings_are_those_of_a_manifest() {
    let clips = Clips::new();
    for (name, options) in [
        (
            "a.mp4",
            "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -profile:v baseline",
        ),
        (
            "b.mp4",
            "-pix_fmt yuv420p10le -c:v libx264 -preset ultrafast",
        ),
        ("c.mp4", "-pix_fmt yuv420p -c:v libsvtav1 -preset 12"),
        (
            "d.webm",
            "-pix_fmt yuv420p -c:v libvpx-vp9 -deadline realtime -cpu-used 8",
        ),
    ] {
        let source = clips.make(name, "testsrc2=size=160x92:rate=25:duration=1", options);
        let manifest = clips.convert("a.mpd", &source, "-c copy -f dash");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        let (_, rest) = manifest.split_once("codecs=\"").unwrap();
        let (written, _) = rest.split_once('"').unwrap();
        assert_eq!(chunks(&source, WINDOW)[0].format.rfc6381, written);
    }
}

/// H.265 and MPEG-4, which that muxer writes without profiles, and motion JPEG: from the standards'
/// own examples.
#[test]
fn codec_strings_have_profile_and_level() {
    let clips = Clips::new();
    let h265 = "-c:v libx265 -preset ultrafast -x265-params log-level=none";
    for (name, options, expected) in [
        ("a.mp4", format!("-pix_fmt yuv420p {h265}"), "hvc1.1.6.L30."),
        (
            "a.mp4",
            format!("-pix_fmt yuv420p10le {h265}"),
            "hvc1.2.4.L30.",
        ),
        ("a.mp4", "-c:v mpeg4".to_owned(), "mp4v.20.1"),
        (
            "a.avi",
            "-c:v mjpeg -pix_fmt yuvj420p".to_owned(),
            "mp4v.6c",
        ),
        (
            "a.webm",
            "-pix_fmt yuv420p -c:v libvpx -deadline realtime".to_owned(),
            "vp8",
        ),
    ] {
        let source = clips.make(name, "testsrc2=size=160x92:rate=25:duration=1", &options);
        let found = &chunks(&source, WINDOW)[0].format.rfc6381;
        // H.265's constraints come last, and differ between versions of the encoder.
        assert!(found.starts_with(expected), "{found} for {expected}");
    }
}

/// A camera's description may be older than its pictures.
#[test]
fn parameter_sets_in_band_override_a_stale_header() {
    let clips = Clips::new();
    for (codec, letters) in [
        (
            "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25",
            b"avc1",
        ),
        (
            "-pix_fmt yuv420p -c:v libx265 -preset ultrafast -x265-params keyint=25:log-level=none",
            b"hvc1",
        ),
    ] {
        let part = |name: &str, size: &str, offset: u32| {
            let pictures = format!("testsrc2=size={size}:rate=25:duration=1");
            let path = clips.make(
                name,
                &pictures,
                &format!("{codec} -output_ts_offset {offset}"),
            );
            std::fs::read(path).unwrap()
        };
        let both = [
            part("small.ts", "160x92", 10),
            part("large.ts", "320x180", 11),
        ]
        .concat();
        let both = clips.write("both.ts", &both);
        // The source of headers.
        assert_eq!(ffprobe(&both, "stream=width")[0], "160");
        for name in ["stale.mkv", "stale.mp4"] {
            let stale = clips.convert(name, &both, "-c copy -bsf:v noise=drop='lt(n,25)'");
            let chunks = chunks(&stale, WINDOW);
            assert_eq!(chunks.len(), 1);
            let format = &chunks[0].format;
            assert_eq!((format.width, format.height), (320, 180), "{name}");
            assert_probe_agrees(&chunks[0]);
            assert!(chunks[0].bytes.windows(4).any(|four| four == letters));
        }
    }
}

/// libav's default is milliseconds for the file's time, which 29.97 frames a second do not fit.
#[test]
fn the_file_has_the_timescale_of_its_video() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25";
    let pictures = "testsrc2=size=160x92:rate=30000/1001:duration=4";
    let source = clips.make("a.mp4", pictures, options);
    for chunk in chunks(&source, Duration::from_secs(1)) {
        let header = chunk
            .bytes
            .windows(4)
            .position(|four| four == b"mvhd")
            .unwrap();
        // After the letters: version and flags, two times, then the timescale and the length.
        let number = |at: usize| {
            let field = &chunk.bytes[header + at..header + at + 4];
            i64::from(u32::from_be_bytes(field.try_into().unwrap()))
        };
        assert_eq!(
            (number(16), number(20)),
            (30_000, chunk.cut.duration_ticks())
        );
    }
}

#[test]
fn the_same_source_gives_the_same_bytes() {
    let clips = Clips::new();
    let h264 = "-pix_fmt yuv420p -c:v libx264 -preset veryfast -g 25 -bf 3";
    for (name, options) in [
        ("a.mp4", h264),
        ("a.avi", "-c:v msmpeg4 -g 25 -q:v 5"), // Goes into Matroska.
    ] {
        let source = clips.make(name, PICTURES, options);
        let bytes = || {
            let chunks = chunks(&source, WINDOW);
            chunks
                .into_iter()
                .map(|chunk| chunk.bytes)
                .collect::<Vec<_>>()
        };
        assert_eq!(bytes(), bytes());
    }
}

#[test]
fn an_unfit_container_is_refused_at_opening() {
    let clips = Clips::new();
    let vp8 = clips.make("a.webm", PICTURES, "-c:v libvpx -deadline realtime -g 25");
    let mjpeg = clips.make("a.avi", PICTURES, "-c:v mjpeg");
    let mpeg4 = clips.make("a.mp4", PICTURES, "-c:v mpeg4 -g 25");
    for (source, container, codec) in [
        (&vp8, Container::Mp4, "vp8 video"),
        (&vp8, Container::MpegTs, "vp8 video"),
        (&mjpeg, Container::MpegTs, "mjpeg video"),
        (&mpeg4, Container::MpegTs, "mpeg4 video"), // Its configuration would be in no chunk.
    ] {
        let options = OpenOptions {
            container: Some(container),
            ..OpenOptions::new(source.to_str().unwrap(), WINDOW)
        };
        let refused = Chunks::open(&options).expect_err("refused");
        assert!(
            matches!(&refused, OpenError::WrongContainer { container: asked, codec: named, .. } if *asked == container && named == codec),
            "{refused}"
        );
    }
}

#[test]
fn hidden_pictures_never_lengthen_a_chunk() {
    let clips = Clips::new();
    let long =
        "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 50 -bf 2 -flags +cgop -sc_threshold 0";
    let whole = clips.make("whole.mp4", "testsrc2=size=160x92:rate=25:duration=6", long);
    let source = clips.convert_from("3", "a.mp4", &whole, "-c copy");
    for container in [Container::Mkv, Container::MpegTs] {
        let options = OpenOptions {
            container: Some(container),
            ..OpenOptions::new(source.to_str().unwrap(), Duration::from_secs(2))
        };
        let first = Chunks::open(&options)
            .unwrap()
            .next_chunk()
            .unwrap()
            .unwrap();
        assert_eq!(first.cut.hidden_preroll, 25, "{container}");
        assert_probe_agrees(&first);
        let path = clips.write("chunk", &first.bytes);
        let times = ffprobe(&path, "packet=pts_time");
        let time = |line: &String| line.split(',').next()?.parse().ok();
        let mut times: Vec<f64> = times.iter().filter_map(time).collect();
        let packets = first.cut.packets + first.cut.hidden_preroll;
        assert_eq!(times.len(), packets as usize, "{container}");
        times.sort_by(f64::total_cmp);
        let lasts = times[times.len() - 1] + 0.04 - times[0];
        let expected = first.cut.duration().as_secs_f64();
        assert!(
            (lasts - expected).abs() < 0.002,
            "{container}: {lasts} s for {expected} s"
        );
    }
}
