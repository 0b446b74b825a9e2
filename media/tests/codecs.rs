//! Every codec in a container that holds it, with nothing of the picture lost: turned, squeezed, hidden, resized.
#![allow(clippy::unwrap_used)] // what only tests call is test code too

mod clip;

use std::path::Path;
use std::time::Duration;

use clip::{
    Clips, assert_gapless, assert_probe_agrees, assert_same_frames, chunks, ffprobe, frame_hashes,
    hashes_of_chunks, hashes_of_joined,
};
use crispy_media::{Chunk, Chunks, Codec, Container, OpenError, Spec, StartKind};

const PICTURES: &str = "testsrc2=size=160x92:rate=25:duration=6";
const WINDOW: Duration = Duration::from_secs(2);

fn assert_carried(name: &str, options: &str, codec: Codec, container: Container) -> Vec<Chunk> {
    let clips = Clips::new();
    let source = clips.make(name, PICTURES, options);
    let chunks = chunks(&source, WINDOW);
    assert!(chunks.len() >= 2, "{} chunks of {name}", chunks.len());
    assert_gapless(&chunks);
    for chunk in &chunks {
        assert_eq!((chunk.format.codec, chunk.container), (codec, container));
        assert_eq!((chunk.format.width, chunk.format.height), (160, 92));
        let size = chunk.bytes.len() as u64;
        let probe = crispy_media::probe(std::io::Cursor::new(chunk.bytes.clone()), size).unwrap();
        assert_eq!(
            (probe.width, probe.height, probe.codec, probe.container),
            (160, 92, codec, container)
        );
    }
    let expected = frame_hashes(&source);
    assert_eq!(expected.len(), 150);
    assert_same_frames(&hashes_of_joined(&clips, &chunks), &expected);
    let alone = hashes_of_chunks(&clips, &chunks);
    let leading: u32 = chunks
        .iter()
        .map(|chunk| {
            if let StartKind::Open { leading } = chunk.cut.start {
                leading
            } else {
                0
            }
        })
        .sum();
    if leading == 0 {
        assert_same_frames(&alone, &expected);
    }
    let total: Duration = chunks.iter().map(|chunk| chunk.cut.duration()).sum();
    assert!(
        total.abs_diff(Duration::from_secs(6)) < Duration::from_millis(2),
        "{name}: {total:?}"
    );
    chunks
}

#[test]
fn av1_in_mp4() {
    let chunks = assert_carried(
        "a.mp4",
        "-pix_fmt yuv420p -c:v libsvtav1 -preset 12 -g 25",
        Codec::Av1,
        Container::Mp4,
    );
    assert!(
        chunks[0].format.rfc6381.starts_with("av01.0."),
        "{}",
        chunks[0].format.rfc6381
    );
}

#[test]
fn av1_from_mkv() {
    assert_carried(
        "a.mkv",
        "-pix_fmt yuv420p -c:v libsvtav1 -preset 12 -g 25",
        Codec::Av1,
        Container::Mp4,
    );
}

#[test]
fn vp9_in_mp4() {
    let options = "-pix_fmt yuv420p -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25";
    let chunks = assert_carried("a.webm", options, Codec::Vp9, Container::Mp4);
    assert!(
        chunks[0].format.rfc6381.starts_with("vp09.00."),
        "{}",
        chunks[0].format.rfc6381
    );
}

#[test]
fn vp8_in_mkv() {
    let options = "-pix_fmt yuv420p -c:v libvpx -deadline realtime -cpu-used 8 -g 25";
    assert_carried("a.webm", options, Codec::Vp8, Container::Mkv);
}

#[test]
fn mpeg4_in_mp4() {
    assert_carried(
        "a.mp4",
        "-c:v mpeg4 -g 25 -q:v 5",
        Codec::Mpeg4,
        Container::Mp4,
    );
    assert_carried(
        "a.avi",
        "-c:v mpeg4 -g 25 -q:v 5",
        Codec::Mpeg4,
        Container::Mp4,
    );
}

#[test]
fn mpeg4_with_b_frames_lacks_what_it_says() {
    let chunks = assert_carried(
        "a.mkv",
        "-c:v mpeg4 -g 24 -bf 2 -q:v 5",
        Codec::Mpeg4,
        Container::Mp4,
    );
    assert!(
        chunks[1..]
            .iter()
            .any(|chunk| matches!(chunk.cut.start, StartKind::Open { leading: 1.. }))
    );
}

#[test]
fn mpeg2_in_mkv() {
    assert_carried(
        "a.ts",
        "-c:v mpeg2video -g 24 -bf 2 -q:v 5",
        Codec::Mpeg2,
        Container::Mkv,
    );
}

#[test]
fn motion_jpeg_has_exact_windows() {
    for name in ["a.avi", "a.mkv"] {
        let chunks = assert_carried(
            name,
            "-c:v mjpeg -q:v 5 -pix_fmt yuvj420p",
            Codec::Mjpeg,
            Container::Mp4,
        );
        assert!(chunks.iter().all(|chunk| chunk.cut.frames == 50));
    }
}

#[test]
fn other_codecs_go_into_mkv() {
    assert_carried(
        "a.avi",
        "-c:v msmpeg4 -g 25 -q:v 5",
        Codec::Other("msmpeg4v3"),
        Container::Mkv,
    );
    assert_carried(
        "a.mkv",
        "-c:v ffv1 -g 25",
        Codec::Other("ffv1"),
        Container::Mkv,
    );
}

/// The same mp4 file with another matrix in its track header: how cameras that were turned write it.
fn turned(clips: &Clips, plain: &Path, matrix: [i32; 4]) -> std::path::PathBuf {
    let mut bytes = std::fs::read(plain).unwrap();
    let header = bytes.windows(4).position(|four| four == b"tkhd").unwrap();
    // after the letters come 40 bytes of other fields; numbers are 16.16 fixed point, the last column 2.30
    let [a, b, c, d] = matrix.map(|number| number << 16);
    for (n, number) in [a, b, 0, c, d, 0, 0, 0, 1 << 30].into_iter().enumerate() {
        let at = header + 4 + 40 + 4 * n;
        bytes[at..at + 4].copy_from_slice(&number.to_be_bytes());
    }
    clips.write("turned.mp4", &bytes)
}

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
        // ffprobe counts the other way round
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

#[test]
fn what_an_edit_list_hides_stays_hidden() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 50 -bf 2 -flags +cgop";
    let whole = clips.make("whole.mp4", PICTURES, options);
    // begins at the key frame of second 2, to be shown from second 3 on
    let source = clips.convert("a.mp4", &whole, "-c copy -ss 0");
    let cut = clips.path("cut.mp4");
    let status = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-ss", "3", "-i"])
        .arg(&source)
        .args(["-c", "copy"])
        .arg(&cut)
        .status()
        .unwrap();
    assert!(status.success());
    let expected = frame_hashes(&cut);
    let chunks = chunks(&cut, WINDOW);
    assert_gapless(&chunks);
    let hidden = chunks[0].cut.hidden_preroll;
    assert!((20..=30).contains(&hidden), "{hidden} hidden packets");
    assert!(
        chunks[1..]
            .iter()
            .all(|chunk| chunk.cut.hidden_preroll == 0)
    );
    assert_eq!(
        chunks
            .iter()
            .map(|chunk| chunk.cut.frames as usize)
            .sum::<usize>(),
        expected.len()
    );
    chunks.iter().for_each(assert_probe_agrees);
    assert_same_frames(&hashes_of_chunks(&clips, &chunks), &expected);
}

/// The same camera at two resolutions, one after the other, in one stream.
fn resized(clips: &Clips, codec: &str) -> std::path::PathBuf {
    let small = clips.make(
        "small.ts",
        "testsrc2=size=320x180:rate=25:duration=3",
        codec,
    );
    let large = clips.make(
        "large.ts",
        "testsrc2=size=640x360:rate=25:duration=3",
        &format!("{codec} -output_ts_offset 3"),
    );
    clips.write(
        "resized.ts",
        &[std::fs::read(small).unwrap(), std::fs::read(large).unwrap()].concat(),
    )
}

fn assert_resized(clips: &Clips, source: &Path, before: &[String]) {
    let chunks = chunks(source, Duration::from_secs(2));
    assert_gapless(&chunks);
    let sizes: Vec<_> = chunks.iter().map(|chunk| chunk.format.width).collect();
    assert!(sizes.contains(&320) && sizes.contains(&640), "{sizes:?}");
    chunks.iter().for_each(assert_probe_agrees);
    assert_eq!(
        chunks.iter().map(|chunk| chunk.cut.frames).sum::<u32>(),
        150
    );
    assert_same_frames(&hashes_of_chunks(clips, &chunks), before);
}

#[test]
fn a_new_resolution_gets_a_new_chunk_in_either_framing() {
    let h264 = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25 -bf 0 -muxdelay 0";
    let h265 = "-pix_fmt yuv420p -c:v libx265 -preset ultrafast -x265-params keyint=25:open-gop=0:log-level=none -muxdelay 0";
    for codec in [h264, h265] {
        let clips = Clips::new();
        let source = resized(&clips, codec);
        let parts = [clips.path("small.ts"), clips.path("large.ts")]
            .map(|part| frame_hashes(&part))
            .concat();
        assert_eq!(parts.len(), 150);
        assert_resized(&clips, &source, &parts);
        for name in ["resized.mkv", "resized.mp4"] {
            let converted = clips.convert(name, &source, "-c copy");
            assert_resized(&clips, &converted, &parts);
        }
    }
}

#[test]
fn interlaced_pictures_are_whole_frames_where_both_fields_are_in_one_packet() {
    for name in ["a.mp4", "a.ts"] {
        let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25 -bf 0 -flags +ildct+ilme -x264-params tff=1";
        let chunks = assert_carried(name, options, Codec::H264, Container::Mp4);
        assert!(
            chunks
                .iter()
                .all(|chunk| chunk.cut.frames == chunk.cut.packets)
        );
    }
}

#[test]
fn mpeg_ts_is_written_on_request() {
    let clips = Clips::new();
    let h264 = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25 -bf 2 -flags +cgop";
    let h265 = "-pix_fmt yuv420p -c:v libx265 -preset ultrafast -x265-params keyint=25:open-gop=0:log-level=none";
    for options in [h264, h265] {
        let source = clips.make("a.mp4", PICTURES, options);
        let spec = Spec {
            container: Some(Container::MpegTs),
            ..Spec::new(source.to_str().unwrap(), WINDOW)
        };
        let mut opened = Chunks::open(&spec).unwrap();
        let chunks: Vec<_> = std::iter::from_fn(|| opened.next_chunk().unwrap()).collect();
        assert!(
            chunks
                .iter()
                .all(|chunk| chunk.container == Container::MpegTs && chunk.bytes[0] == 0x47)
        );
        assert_same_frames(&hashes_of_chunks(&clips, &chunks), &frame_hashes(&source));
    }
}

#[test]
fn the_same_source_gives_the_same_bytes_in_matroska_too() {
    let clips = Clips::new();
    let source = clips.make("a.avi", PICTURES, "-c:v msmpeg4 -g 25 -q:v 5");
    let bytes = || {
        chunks(&source, WINDOW)
            .into_iter()
            .map(|chunk| chunk.bytes)
            .collect::<Vec<_>>()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_container_that_does_not_hold_the_video_is_refused_before_the_first_chunk() {
    let clips = Clips::new();
    let vp8 = clips.make("a.webm", PICTURES, "-c:v libvpx -deadline realtime -g 25");
    let mjpeg = clips.make("a.avi", PICTURES, "-c:v mjpeg");
    let mpeg4 = clips.make("a.mp4", PICTURES, "-c:v mpeg4 -g 25");
    for (source, container, codec) in [
        (&vp8, Container::Mp4, "vp8 video"),
        (&vp8, Container::MpegTs, "vp8 video"),
        (&mjpeg, Container::MpegTs, "mjpeg video"),
        (&mpeg4, Container::MpegTs, "mpeg4 video"), // its configuration would be in no chunk
    ] {
        let spec = Spec {
            container: Some(container),
            ..Spec::new(source.to_str().unwrap(), WINDOW)
        };
        let refused = Chunks::open(&spec).expect_err("refused");
        assert!(
            matches!(&refused, OpenError::WrongContainer { container: asked, codec: named, .. } if *asked == container && named == codec),
            "{refused}"
        );
    }
}

#[test]
fn matroska_holds_on_request_what_mp4_does_by_itself() {
    let clips = Clips::new();
    let options = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25 -bf 2 -flags +cgop";
    let source = clips.make("a.mp4", PICTURES, options);
    let spec = Spec {
        container: Some(Container::Mkv),
        ..Spec::new(source.to_str().unwrap(), WINDOW)
    };
    let mut opened = Chunks::open(&spec).unwrap();
    let chunks: Vec<_> = std::iter::from_fn(|| opened.next_chunk().unwrap()).collect();
    chunks.iter().for_each(assert_probe_agrees);
    assert_same_frames(&hashes_of_chunks(&clips, &chunks), &frame_hashes(&source));
}
