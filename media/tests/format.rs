//! The format, without decoding, equals ffprobe's, which decodes.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

mod clip;

use std::path::Path;
use std::time::Duration;

use clip::{Clips, ffprobe};
use crispy_media::{Chunk, Chunks, OpenOptions, VideoFormat};

const H264: &str = "-c:v libx264 -preset ultrafast -g 25";
const H265: &str = "-c:v libx265 -preset ultrafast -g 25 -x265-params log-level=none:open-gop=0";

fn first_chunk(path: &Path) -> Chunk {
    let mut chunks = Chunks::open(&OpenOptions::new(
        path.to_str().unwrap(),
        Duration::from_secs(3),
    ))
    .unwrap();
    chunks.next_chunk().unwrap().unwrap()
}

/// The format in the order of ffprobe's output.
fn as_ffprobe_prints(format: &VideoFormat) -> String {
    let color = &format.color;
    let (width, height) = format.sample_aspect;
    // ffprobe has its own names for full-range pixels, and prints "N/A" for an undeclared 1:1.
    [
        format.profile.clone(),
        format.width.to_string(),
        format.height.to_string(),
        format!("{width}:{height}"),
        format.pixel_format.clone(),
        color.range.clone(),
        color.space.clone(),
        color.transfer.clone(),
        color.primaries.clone(),
    ]
    .join(",")
    .replace(
        ",tv,unknown,unknown,unknown",
        ",unknown,unknown,unknown,unknown",
    )
}

fn ffprobe_prints(path: &Path) -> String {
    let entries = "profile,width,height,sample_aspect_ratio,pix_fmt,color_range,color_space,color_transfer,color_primaries";
    let printed = ffprobe(path, &format!("stream={entries}")).remove(0);
    // Limited range is the default, and mp4 stores it only together with other colour properties.
    printed
        .replace("N/A", "1:1")
        .replace("yuvj", "yuv")
        .replace(
            ",tv,unknown,unknown,unknown",
            ",unknown,unknown,unknown,unknown",
        )
}

fn assert_as_ffprobe(name: &str, size: &str, options: &str) {
    let clips = Clips::new();
    let source = clips.make(
        name,
        &format!("testsrc2=size={size}:rate=25:duration=1"),
        options,
    );
    let chunk = first_chunk(&source);
    assert_eq!(
        as_ffprobe_prints(&chunk.format),
        ffprobe_prints(&source),
        "{name} {options}"
    );
    let written = clips.write("chunk.mp4", &chunk.bytes);
    assert_eq!(
        ffprobe_prints(&written),
        ffprobe_prints(&source),
        "the chunk of {name} {options}"
    );
    assert_eq!(chunk.format.frame_rate, (25, 1));
}

#[test]
fn gbr_is_not_taken_for_yuv() {
    assert_as_ffprobe(
        "rgb.mkv",
        "64x48",
        "-pix_fmt gbrp -c:v libx265 -preset ultrafast -x265-params log-level=none",
    );
}

#[test]
fn plain_h264_and_h265_are_known() {
    for name in ["a.mp4", "a.mkv", "a.ts"] {
        assert_as_ffprobe(name, "320x180", &format!("-pix_fmt yuv420p {H264}"));
        assert_as_ffprobe(name, "320x180", &format!("-pix_fmt yuv420p {H265}"));
    }
}

#[test]
fn sizes_off_the_block_grid_are_known() {
    for codec in [H264, H265] {
        assert_as_ffprobe("a.mp4", "322x182", &format!("-pix_fmt yuv420p {codec}"));
        assert_as_ffprobe("a.mkv", "150x102", &format!("-pix_fmt yuv444p {codec}"));
    }
}

#[test]
fn other_pixel_formats_are_known() {
    for pixels in ["yuv422p", "yuv444p", "yuv420p10le"] {
        for codec in [H264, H265] {
            assert_as_ffprobe("a.mp4", "320x180", &format!("-pix_fmt {pixels} {codec}"));
        }
    }
}

#[test]
fn colours_and_range_are_known() {
    let hdr = "-color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv";
    assert_as_ffprobe(
        "a.mp4",
        "320x180",
        &format!("-pix_fmt yuv420p10le {hdr} {H265}"),
    );
    assert_as_ffprobe(
        "a.mkv",
        "320x180",
        &format!("-pix_fmt yuv420p10le {hdr} {H264}"),
    );
    let sd = "-color_primaries smpte170m -color_trc bt709 -colorspace smpte170m -color_range pc";
    assert_as_ffprobe("a.mp4", "320x180", &format!("-pix_fmt yuv420p {sd} {H264}"));
    assert_as_ffprobe("a.ts", "320x180", &format!("-pix_fmt yuv420p {sd} {H265}"));
}

#[test]
fn non_square_pixels_are_known() {
    for codec in [H264, H265] {
        assert_as_ffprobe(
            "a.mp4",
            "320x180",
            &format!("-vf setsar=16/11 -pix_fmt yuv420p {codec}"),
        );
        assert_as_ffprobe(
            "a.mkv",
            "320x180",
            &format!("-vf setsar=37/29 -pix_fmt yuv420p {codec}"),
        );
    }
}

#[test]
fn a_sample_aspect_of_the_container_survives() {
    let clips = Clips::new();
    let plain = clips.make(
        "a.mp4",
        "testsrc2=size=320x180:rate=25:duration=1",
        &format!("-pix_fmt yuv420p {H264}"),
    );
    let wide = clips.convert("wide.mp4", &plain, "-c copy -aspect 2.35");
    let chunk = first_chunk(&wide);
    assert_ne!(chunk.format.sample_aspect, (1, 1));
    assert_eq!(
        ffprobe_prints(&clips.write("chunk.mp4", &chunk.bytes)),
        ffprobe_prints(&wide)
    );
}

#[test]
fn a_colour_range_of_the_container_survives() {
    let clips = Clips::new();
    let pictures = "testsrc2=size=320x180:rate=25:duration=1";
    let plain = clips.make("a.mkv", pictures, &format!("-pix_fmt yuv420p {H264}"));
    let full = clips.convert("full.mkv", &plain, "-c copy -color_range pc");
    let chunk = first_chunk(&full);
    assert_eq!(chunk.format.color.range, "pc");
    let range = |path: &Path| ffprobe(path, "stream=color_range,color_primaries,color_transfer");
    let written = clips.write("chunk.mp4", &chunk.bytes);
    assert_eq!(range(&written), range(&full), "and nothing is added");
}

#[test]
fn reordering_is_known() {
    for (name, b_frames, expected) in [
        ("a.mp4", 0, false),
        ("a.mp4", 2, true),
        ("a.mkv", 2, true),
        ("a.mkv", 0, false),
    ] {
        let clips = Clips::new();
        let options = format!("-pix_fmt yuv420p {H264} -bf {b_frames}");
        let source = clips.make(name, "testsrc2=size=320x180:rate=25:duration=1", &options);
        assert_eq!(
            first_chunk(&source).format.has_b_frames,
            expected,
            "{name} with {b_frames}"
        );
    }
}

#[test]
fn the_creation_time_is_the_containers() {
    let clips = Clips::new();
    let options = format!("-pix_fmt yuv420p {H264} -metadata creation_time=2026-03-01T12:00:00Z");
    let pictures = "testsrc2=size=320x180:rate=25:duration=1";
    for (name, expected) in [
        ("a.mp4", Some(1_772_366_400_000_000)),
        ("a.mkv", Some(1_772_366_400_000_000)),
        ("a.ts", None),
    ] {
        let source = clips.make(name, pictures, &options);
        let chunks = Chunks::open(&OpenOptions::new(
            source.to_str().unwrap(),
            Duration::from_secs(3),
        ))
        .unwrap();
        assert_eq!(chunks.creation_time_us(), expected, "{name}");
        let claimed = chunks.expected_duration().unwrap();
        assert!(
            claimed.abs_diff(Duration::from_secs(1)) < Duration::from_millis(50),
            "{name}: {claimed:?}"
        );
    }
}
