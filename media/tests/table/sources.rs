//! The list of sources, as from cameras, phones and archives, made by the ffmpeg command line.

use std::path::PathBuf;
use std::time::Duration;

use crispy_media::Container;

use super::clip::{Clips, frame_hashes, turned};
use super::fields;
use super::row::WINDOW;

/// A source to cut.
pub(crate) struct Source {
    /// Description in the table.
    pub(crate) name: &'static str,
    pub(crate) make: fn(&Clips) -> Made,
    pub(crate) window: Duration,
    /// The requested container; `None` for the codec's own.
    pub(crate) container: Option<Container>,
}

/// A source that was made.
pub(crate) struct Made {
    pub(crate) path: PathBuf,
    /// The hash of each of its frames.
    pub(crate) shown: Vec<String>,
    /// Its duration in seconds as a fraction, known from its making.
    pub(crate) seconds: (i64, i64),
}

const H264: &str = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25 -bf 0 -sc_threshold 0";
/// A fixed number of B-frames, the same in every version of the encoder.
const H264_B: &str = "-pix_fmt yuv420p -c:v libx264 -preset veryfast \
    -x264-params keyint=25:min-keyint=25:scenecut=0:bframes=3:b-adapt=0:open-gop=0";
/// After 24 frames in fours, two more are left, which are shown before the next group's key frame
/// and refer to both groups.
const H264_OPEN: &str = "-pix_fmt yuv420p -c:v libx264 -preset veryfast \
    -x264-params keyint=27:min-keyint=27:scenecut=0:bframes=3:b-adapt=0:open-gop=1";
const H265: &str = "-pix_fmt yuv420p -c:v libx265 -preset ultrafast \
    -x265-params keyint=25:min-keyint=25:scenecut=0:bframes=3:b-adapt=0:open-gop=0:log-level=none";
const H265_OPEN: &str = "-pix_fmt yuv420p -c:v libx265 -preset ultrafast \
    -x265-params keyint=27:min-keyint=27:scenecut=0:bframes=3:b-adapt=0:open-gop=1:log-level=none";
const AV1: &str = "-pix_fmt yuv420p -c:v libsvtav1 -preset 12 -g 25";
const VP9: &str = "-pix_fmt yuv420p -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25";
const VP8: &str = "-pix_fmt yuv420p -c:v libvpx -deadline realtime -cpu-used 8 -g 25";
const MPEG4_B: &str = "-c:v mpeg4 -g 24 -bf 2 -q:v 5 -sc_threshold 1000000000";
const MPEG2_B: &str = "-c:v mpeg2video -g 24 -bf 2 -q:v 5 -sc_threshold 1000000000";

/// Noise, so that all stretches differ; AAC without its own random noise, which differs by decoder.
const NOISE: &str = "-f lavfi -i anoisesrc=sample_rate=48000:seed=7:amplitude=0.3:duration=6";

/// A window for open groups: each of them begins a chunk.
const SECOND: Duration = Duration::from_secs(1);

/// 150 frames in 6 s.
const PICTURES: &str = "testsrc2=size=160x92:rate=25:duration=6";
/// 250 frames in 10 s.
const LONGER: &str = "testsrc2=size=160x92:rate=25:duration=10";

/// A file that plays from its beginning to its end.
fn whole(path: PathBuf, seconds: (i64, i64)) -> Made {
    let shown = frame_hashes(&path);
    Made {
        path,
        shown,
        seconds,
    }
}

/// A row for 6 s of video in a file of this name.
macro_rules! encoded {
    ($name:literal, $file:literal, $options:expr) => {
        encoded!($name, $file, $options, None)
    };
    ($name:literal, $file:literal, $options:expr, $container:expr) => {
        encoded!($name, $file, $options, $container, WINDOW)
    };
    ($name:literal, $file:literal, $options:expr, $container:expr, $window:expr) => {
        Source {
            name: $name,
            make: |clips| whole(clips.make($file, PICTURES, $options), (6, 1)),
            window: $window,
            container: $container,
        }
    };
}

/// A row for a source that is made in several steps.
macro_rules! made {
    ($name:literal, $make:expr) => {
        made!($name, WINDOW, $make)
    };
    ($name:literal, $window:expr, $make:expr) => {
        Source {
            name: $name,
            make: $make,
            window: $window,
            container: None,
        }
    };
}

pub(crate) const SOURCES: &[Source] = &[
    encoded!("H.264 without B-frames, mp4", "a.mp4", H264),
    encoded!("the same, mkv", "a.mkv", H264),
    encoded!("the same, MPEG-TS", "a.ts", H264),
    encoded!("H.264, B-frames, closed groups, mp4", "a.mp4", H264_B),
    encoded!("the same, mov", "a.mov", H264_B),
    encoded!("the same, mkv", "a.mkv", H264_B),
    encoded!("the same, MPEG-TS", "a.ts", H264_B),
    encoded!("the same, avi", "a.avi", H264_B),
    encoded!("the same, raw", "a.h264", H264_B),
    encoded!(
        "the same, mp4 to MPEG-TS",
        "a.mp4",
        H264_B,
        Some(Container::MpegTs)
    ),
    encoded!(
        "the same, mp4 to mkv",
        "a.mp4",
        H264_B,
        Some(Container::Mkv)
    ),
    made!("the same with AAC kept, mp4", |clips| {
        let audio = format!("{NOISE} {H264_B} -c:a aac -aac_pns 0 -b:a 96k");
        whole(clips.make("a.mp4", PICTURES, &audio), (6, 1))
    }),
    made!("the same with G.711 kept, mkv", |clips| {
        let audio = format!("{NOISE} {H264_B} -c:a pcm_alaw -ar 8000");
        whole(clips.make("a.mkv", PICTURES, &audio), (6, 1))
    }),
    encoded!("H.264, open groups, mp4", "a.mp4", H264_OPEN, None, SECOND),
    encoded!("the same, mkv", "a.mkv", H264_OPEN, None, SECOND),
    encoded!("the same, MPEG-TS", "a.ts", H264_OPEN, None, SECOND),
    made!("H.264, intra refresh, mp4", |clips| {
        let refresh = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 -x264-params intra-refresh=1:keyint=25";
        whole(clips.make("a.mp4", PICTURES, refresh), (6, 1))
    }),
    encoded!("H.265, closed groups, mp4", "a.mp4", H265),
    encoded!("the same, mkv", "a.mkv", H265),
    encoded!("the same, MPEG-TS", "a.ts", H265),
    encoded!("the same, raw", "a.hevc", H265),
    encoded!(
        "the same, mp4 to MPEG-TS",
        "a.mp4",
        H265,
        Some(Container::MpegTs)
    ),
    encoded!("H.265, open groups, mp4", "a.mp4", H265_OPEN, None, SECOND),
    encoded!("the same, mkv", "a.mkv", H265_OPEN, None, SECOND),
    encoded!("the same, MPEG-TS", "a.ts", H265_OPEN, None, SECOND),
    encoded!("AV1, mp4", "a.mp4", AV1),
    encoded!("AV1, mkv", "a.mkv", AV1),
    encoded!("VP9, webm", "a.webm", VP9),
    encoded!("VP8, webm", "a.webm", VP8),
    encoded!(
        "MPEG-4, mp4",
        "a.mp4",
        "-c:v mpeg4 -g 25 -q:v 5 -sc_threshold 1000000000"
    ),
    encoded!("MPEG-4, B-frames, avi", "a.avi", MPEG4_B),
    encoded!("MPEG-4, B-frames, mkv", "a.mkv", MPEG4_B),
    encoded!("MPEG-2, B-frames, MPEG-TS", "a.ts", MPEG2_B),
    encoded!(
        "MS-MPEG4, avi",
        "a.avi",
        "-c:v msmpeg4 -g 25 -q:v 5 -sc_threshold 1000000000"
    ),
    encoded!("FFV1, mkv", "a.mkv", "-c:v ffv1 -g 25"),
    encoded!(
        "Motion JPEG, avi",
        "a.avi",
        "-c:v mjpeg -q:v 5 -pix_fmt yuvj420p"
    ),
    encoded!(
        "Motion JPEG, mkv",
        "a.mkv",
        "-c:v mjpeg -q:v 5 -pix_fmt yuvj420p"
    ),
    encoded!(
        "H.264, interlaced, both fields in a packet, MPEG-TS",
        "a.ts",
        "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 25 -bf 0 -sc_threshold 0 -flags +ildct+ilme -x264-params tff=1"
    ),
    made!(
        "H.264, interlaced, each field in its own packet, raw",
        SECOND,
        |clips| { whole(clips.write("a.h264", &fields::stream(50, 25)), (2, 1)) }
    ),
    made!("H.264, variable frame rate, mkv", |clips| {
        let rhythm = "-vf select='lt(mod(n,10),4)+eq(mod(n,10),7)' -fps_mode vfr";
        let path = clips.make("a.mkv", PICTURES, &format!("{rhythm} {H264} -g 10"));
        // Of every ten, 0 to 3 and 7 are kept: the last one is shown at 147/25 s, for 1/25 s.
        whole(path, (148, 25))
    }),
    made!("H.264, 29.97 frames a second, mp4", |clips| {
        let pictures = "testsrc2=size=160x92:rate=30000/1001:duration=10";
        let path = clips.make("a.mp4", pictures, H264_B);
        whole(path, (300 * 1001, 30_000))
    }),
    made!(
        "H.264, one frame in 2 s, MPEG-TS",
        Duration::from_secs(3),
        |clips| {
            let half = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 4 -bf 0";
            let path = clips.make("a.ts", "testsrc2=size=160x92:rate=1/2:duration=60", half);
            whole(path, (60, 1))
        }
    ),
    made!(
        "H.264, a wrap of the clock at 2^33 after 4 s, MPEG-TS",
        |clips| {
            let wrapping = format!("{H264_B} -output_ts_offset 95439");
            whole(clips.make("a.ts", LONGER, &wrapping), (10, 1))
        }
    ),
    made!(
        "H.264, the clock set back by 3 s in the middle of a group, MPEG-TS",
        |clips| stepped(clips, "-3")
    ),
    made!(
        "H.264, the clock set forward by 20 s in the middle of a group, MPEG-TS",
        |clips| stepped(clips, "20")
    ),
    made!("H.264, joined in the middle of a group, MPEG-TS", |clips| {
        let long = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 0 -g 50 -sc_threshold 0";
        let source = clips.make("a.ts", LONGER, long);
        let path = clips.convert("b.ts", &source, "-c copy -bsf:v noise=drop='lt(n,20)'");
        // 20 frames are not in the file, and 30 come before its first key frame.
        Made {
            path,
            shown: frame_hashes(&source).split_off(20),
            seconds: (8, 1),
        }
    }),
    made!("H.264, a new resolution, MPEG-TS", |clips| resized(
        clips, H264, "ts"
    )),
    made!("the same, mkv", |clips| resized(clips, H264, "mkv")),
    made!("the same, mp4", |clips| resized(clips, H264, "mp4")),
    made!("H.265, a new resolution, MPEG-TS", |clips| resized(
        clips, H265, "ts"
    )),
    made!("H.264, an edit list, mp4", |clips| {
        let long = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 50 -bf 2 -flags +cgop -sc_threshold 0";
        let source = clips.make("whole.mp4", PICTURES, long);
        // Begins with the key frame of second 2, shown from second 3 on.
        let path = clips.convert_from("3", "a.mp4", &source, "-c copy");
        whole(path, (3, 1))
    }),
    made!("H.264, rotated, mp4", |clips| {
        let plain = clips.make("plain.mp4", PICTURES, H264);
        whole(turned(clips, &plain, [0, 1, -1, 0]), (6, 1))
    }),
    made!("H.264, pixels of 16:11, mkv", |clips| {
        let path = clips.make("a.mkv", PICTURES, &format!("-vf setsar=16/11 {H264}"));
        whole(path, (6, 1))
    }),
    made!(
        "MPEG-4, a key frame in 25 s, avi",
        Duration::from_secs(3),
        |clips| {
            let long = "-c:v mpeg4 -g 250 -q:v 5 -sc_threshold 1000000000";
            let path = clips.make("a.avi", "testsrc2=size=160x92:rate=10:duration=60", long);
            whole(path, (60, 1))
        }
    ),
    made!(
        "H.264, a key frame in 150 s, mp4",
        Duration::from_secs(3),
        |clips| {
            let long = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -bf 2 -g 9999 -keyint_min 9999 -sc_threshold 0";
            let path = clips.make("a.mp4", "testsrc2=size=160x92:rate=5:duration=150", long);
            whole(path, (150, 1))
        }
    ),
];

/// A recording whose clock is set by `step` seconds before its 131st packet, in the middle of a
/// group.
fn stepped(clips: &Clips, step: &str) -> Made {
    let long = "-pix_fmt yuv420p -c:v libx264 -preset ultrafast -g 50 -bf 0 -sc_threshold 0";
    let source = clips.make("a.ts", LONGER, long);
    let copy = "-c copy -copyts -muxdelay 0";
    let one = clips.convert("one.ts", &source, &format!("{copy} -frames:v 130"));
    let rest = format!("{copy} -output_ts_offset {step} -bsf:v noise=drop='lt(n,130)'");
    let two = clips.convert("two.ts", &source, &rest);
    let path = clips.write("stepped.ts", &joined(&[one, two]));
    Made {
        path,
        shown: frame_hashes(&source),
        seconds: (10, 1),
    }
}

/// The same camera at two resolutions, one after the other, in one stream.
fn resized(clips: &Clips, codec: &str, extension: &str) -> Made {
    let part = |name: &str, size: &str, offset: u32| {
        let pictures = format!("testsrc2=size={size}:rate=25:duration=3");
        clips.make(
            name,
            &pictures,
            &format!("{codec} -muxdelay 0 -output_ts_offset {offset}"),
        )
    };
    let parts = [
        part("small.ts", "160x92", 10),
        part("large.ts", "320x180", 13),
    ];
    let shown = parts.iter().flat_map(|part| frame_hashes(part)).collect();
    let mut path = clips.write("resized.ts", &joined(&parts));
    if extension != "ts" {
        path = clips.convert(&format!("resized.{extension}"), &path, "-c copy");
    }
    Made {
        path,
        shown,
        seconds: (6, 1),
    }
}

fn joined(parts: &[PathBuf]) -> Vec<u8> {
    parts
        .iter()
        .flat_map(|part| std::fs::read(part).unwrap())
        .collect()
}
