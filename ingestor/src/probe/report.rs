//! The report on a source, as JSON shows it. Pure.
//!
//! Fields are only ever added. Times are in seconds and sizes in bytes, as their names say;
//! `docs/sources.md` describes each.

use std::time::Duration;

use crispy_fault::chain;
use crispy_media::{Analysis, Distribution, EndReason};
use crispy_proto::v1::ClockOrigin;
use crispy_runtime::{
    Redacted,
    cut::{Audio, Container, CutFlags},
};
use crispy_source::WallClock;
use serde::Serialize;

use super::warnings::{self, Warning};

/// A source, and its cutting.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// Always `probe`.
    pub(super) r#type: &'static str,
    /// Path or URL, without secrets.
    pub(super) source: String,
    /// The part of it that was read.
    pub(super) read: Read,
    /// The format of the pictures.
    pub(super) video: Video,
    /// Their order and intervals.
    pub(super) frames: Frames,
    /// From key frame to key frame.
    pub(super) groups: Groups,
    /// Codecs of its audio.
    pub(super) audio: Vec<&'static str>,
    /// The time of its chunks.
    pub(super) clock: Clock,
    /// Its cutting.
    pub(super) cut: Cut,
    /// Problems, the worst first.
    pub(super) warnings: Vec<Warning>,
}

/// The part of a source that was read.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Read {
    /// True if it was read to its end.
    pub(super) whole: bool,
    /// Length of that part, in its own time.
    pub(super) seconds: f64,
    /// The requested length; none for all.
    pub(super) limit_seconds: Option<f64>,
    /// The length that the container claims.
    pub(super) claimed_seconds: Option<f64>,
    /// Bits a second of the pictures.
    pub(super) bits_per_second: u64,
    /// The error that ended the reading.
    pub(super) failure: Option<String>,
}

/// The format of the pictures. Words are FFmpeg's; `unknown` where the source does not say.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Video {
    /// Such as `h264`.
    pub(super) codec: &'static str,
    /// RFC 6381, for browsers; empty where the headers do not say enough.
    pub(super) codec_string: String,
    /// Such as `High`.
    pub(super) profile: String,
    /// In pixels, before rotation.
    pub(super) width: u32,
    /// In pixels, before rotation.
    pub(super) height: u32,
    /// Shape of a pixel, width to height.
    pub(super) sample_aspect_ratio: String,
    /// Rotation by players, clockwise.
    pub(super) rotation_degrees: i32,
    /// Such as `yuv420p`.
    pub(super) pixel_format: String,
    /// Bits of a component; 0 where the headers do not say.
    pub(super) bit_depth: u32,
    /// Such as `bt709`.
    pub(super) primaries: String,
    /// Such as `smpte2084`.
    pub(super) transfer: String,
    /// Such as `bt709`.
    pub(super) matrix: String,
    /// `tv` or `pc`.
    pub(super) range: String,
    /// True for PQ or HLG, made for brighter screens than usual.
    pub(super) hdr: bool,
}

/// Frames and their intervals.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Frames {
    /// Their number.
    pub(super) count: u64,
    /// Frames a second, as the header claims.
    pub(super) nominal_rate: Option<f64>,
    /// Frames a second, as measured.
    pub(super) measured_rate: f64,
    /// True if the time between them varies.
    pub(super) variable: bool,
    /// The time between two.
    pub(super) interval_seconds: Range<f64>,
}

/// From key frame to key frame.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Groups {
    /// `closed`, `open`, `mixed`, `intra_refresh` or `none`.
    pub(super) kind: &'static str,
    /// Key frames.
    pub(super) key_frames: u64,
    /// Frames of a group.
    pub(super) frames: Range<u64>,
    /// Length of a group.
    pub(super) seconds: Range<f64>,
    /// The longest time without a key frame, the last group counted too.
    pub(super) longest_wait_seconds: f64,
}

/// The time of chunks.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Clock {
    /// Of the first frame, RFC 3339.
    pub(super) start: String,
    /// `playlist`, `file_creation`, `file_modified` or `host`.
    pub(super) origin: &'static str,
}

/// The cutting of a source.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cut {
    /// The requested window.
    pub(super) window_seconds: f64,
    /// `mp4`, `mkv` or `ts`.
    pub(super) container: &'static str,
    /// The reason.
    pub(super) container_reason: String,
    /// Always `copy`.
    pub(super) mode: &'static str,
    /// The reason.
    pub(super) mode_reason: &'static str,
    /// Their number.
    pub(super) chunks: u64,
    /// Lengths.
    pub(super) seconds: Range<f64>,
    /// Sizes, of the pictures alone.
    pub(super) bytes: Range<u64>,
}

/// Least, middle and most.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Range<T> {
    /// The least.
    pub(super) min: T,
    /// The one in the middle.
    pub(super) median: T,
    /// The most.
    pub(super) max: T,
}

impl Report {
    /// The report on a source that was read.
    pub(super) fn new(
        source: &str,
        cut: &CutFlags,
        limit: Option<Duration>,
        clock: &WallClock,
        audio: Vec<&'static str>,
        analysis: &Analysis,
    ) -> Self {
        Self {
            r#type: "probe",
            source: Redacted(source).to_string(),
            read: read(analysis, limit),
            video: video(analysis),
            frames: frames(analysis),
            groups: groups(analysis),
            warnings: warnings::find(analysis, cut, clock.origin, &audio),
            audio,
            clock: clock_report(clock),
            cut: cuts(analysis, cut),
        }
    }
}

fn read(analysis: &Analysis, limit: Option<Duration>) -> Read {
    let failure = match &analysis.end {
        EndReason::Failed(error) => Some(chain(error)),
        EndReason::EndOfSource | EndReason::Limit => None,
    };
    Read {
        whole: matches!(analysis.end, EndReason::EndOfSource),
        seconds: analysis.read.as_secs_f64(),
        limit_seconds: limit.map(|limit| limit.as_secs_f64()),
        claimed_seconds: analysis.claimed.map(|claimed| claimed.as_secs_f64()),
        bits_per_second: analysis.bit_rate().round() as u64,
        failure,
    }
}

fn video(analysis: &Analysis) -> Video {
    let format = &analysis.format;
    let (num, den) = format.sample_aspect;
    Video {
        codec: format.codec.name(),
        codec_string: format.rfc6381.clone(),
        profile: format.profile.clone(),
        width: format.width,
        height: format.height,
        sample_aspect_ratio: format!("{num}:{den}"),
        rotation_degrees: format.rotation_degrees,
        pixel_format: format.pixel_format.clone(),
        bit_depth: format.bit_depth,
        primaries: format.color.primaries.clone(),
        transfer: format.color.transfer.clone(),
        matrix: format.color.space.clone(),
        range: format.color.range.clone(),
        hdr: warnings::is_hdr(format),
    }
}

fn frames(analysis: &Analysis) -> Frames {
    let (num, den) = analysis.format.frame_rate;
    Frames {
        count: analysis.frames,
        nominal_rate: (den > 0).then(|| f64::from(num) / f64::from(den)),
        measured_rate: analysis.frame_rate(),
        variable: analysis.varies(),
        interval_seconds: in_seconds(analysis.intervals),
    }
}

fn groups(analysis: &Analysis) -> Groups {
    let kind = match (
        analysis.closed_keys,
        analysis.open_keys,
        analysis.recovery_points,
    ) {
        (0, 0, 0) => "none",
        (closed, 0, refresh) if refresh > closed => "intra_refresh",
        (_, 0, _) => "closed",
        // Every stream begins with a closed one.
        (0 | 1, _, _) => "open",
        _ => "mixed",
    };
    Groups {
        kind,
        key_frames: analysis.closed_keys + analysis.open_keys,
        frames: range(analysis.group_frames),
        seconds: in_seconds(analysis.groups),
        longest_wait_seconds: analysis.longest_wait.as_secs_f64(),
    }
}

fn clock_report(clock: &WallClock) -> Clock {
    let start = jiff::Timestamp::from_microsecond(clock.start_us);
    Clock {
        start: start.map_or_else(|_| String::new(), |start| start.to_string()),
        origin: match clock.origin {
            ClockOrigin::Playlist => "playlist",
            ClockOrigin::FileCreation => "file_creation",
            ClockOrigin::FileModified => "file_modified",
            ClockOrigin::Host | ClockOrigin::Unspecified => "host",
        },
    }
}

fn cuts(analysis: &Analysis, cut: &CutFlags) -> Cut {
    Cut {
        window_seconds: cut.window.as_secs_f64(),
        container: analysis.container.extension(),
        container_reason: container_reason(analysis, cut),
        mode: "copy",
        mode_reason: "nothing is scaled or left out, so nothing is decoded: every frame stays as it is",
        chunks: analysis.chunks.count,
        seconds: in_seconds(analysis.chunks),
        bytes: range(analysis.chunk_bytes),
    }
}

fn container_reason(analysis: &Analysis, cut: &CutFlags) -> String {
    let codec = analysis.format.codec;
    if cut.container != Container::Auto {
        return "asked for with --container".to_owned();
    }
    match (analysis.container, codec.container()) {
        (chosen, usual) if chosen != usual && cut.audio == Audio::Keep => {
            "its audio does not go into mp4".to_owned()
        }
        (crispy_media::Container::Mp4, _) => {
            format!("it holds {codec}, and most players know it")
        }
        _ => format!("mp4 is not made for {codec}, and Matroska holds everything"),
    }
}

fn range<T>(distribution: Distribution<T>) -> Range<T> {
    Range {
        min: distribution.min,
        median: distribution.median,
        max: distribution.max,
    }
}

fn in_seconds(distribution: Distribution<Duration>) -> Range<f64> {
    Range {
        min: distribution.min.as_secs_f64(),
        median: distribution.median.as_secs_f64(),
        max: distribution.max.as_secs_f64(),
    }
}
