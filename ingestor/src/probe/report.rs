//! The report on a source, as JSON shows it. Pure.
//!
//! Fields are only ever added. Times are in seconds, sizes in bytes, and their names say so; `docs/sources.md` describes each.

use std::time::Duration;

use crispy_media::{Analysis, Distribution, EndReason};
use crispy_proto::v1::ClockOrigin;
use crispy_runtime::{
    Redacted,
    cut::{Audio, Container, CutFlags},
};
use serde::Serialize;

use super::warnings::{self, Warning};
use crate::run_identity::FileIdentity;

/// What a source is and how it would be cut.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Always `probe`.
    pub r#type: &'static str,
    /// Path or URL, without secrets.
    pub source: String,
    /// How much of it was read.
    pub read: Read,
    /// What the pictures are.
    pub video: Video,
    /// How they follow one another.
    pub frames: Frames,
    /// From key frame to key frame.
    pub groups: Groups,
    /// Codecs of its sound.
    pub audio: Vec<&'static str>,
    /// Which time its chunks would have.
    pub clock: Clock,
    /// How it would be cut.
    pub cut: Cut,
    /// What to look out for, the worst first.
    pub warnings: Vec<Warning>,
}

/// How much of a source was read.
#[derive(Clone, Debug, Serialize)]
pub struct Read {
    /// Whether it was read to its end.
    pub whole: bool,
    /// How much was read, in its own time.
    pub seconds: f64,
    /// How much was asked for; none for all.
    pub limit_seconds: Option<f64>,
    /// How long it claims to be.
    pub claimed_seconds: Option<f64>,
    /// Bits a second of the pictures.
    pub bits_per_second: u64,
    /// Why it could not be read on.
    pub failure: Option<String>,
}

/// What the pictures are. Words are FFmpeg's; `unknown` where the source does not say.
#[derive(Clone, Debug, Serialize)]
pub struct Video {
    /// Such as `h264`.
    pub codec: &'static str,
    /// As browsers are asked about it (RFC 6381); empty where the headers do not say enough.
    pub codec_string: String,
    /// Such as `High`.
    pub profile: String,
    /// In pixels, before rotation.
    pub width: u32,
    /// In pixels, before rotation.
    pub height: u32,
    /// Shape of a pixel, width to height.
    pub sample_aspect_ratio: String,
    /// How far players turn it, clockwise.
    pub rotation_degrees: i32,
    /// Such as `yuv420p`.
    pub pixel_format: String,
    /// Bits of a component; 0 where the headers do not say.
    pub bit_depth: u32,
    /// Such as `bt709`.
    pub primaries: String,
    /// Such as `smpte2084`.
    pub transfer: String,
    /// Such as `bt709`.
    pub matrix: String,
    /// `tv` or `pc`.
    pub range: String,
    /// Whether it is made for brighter screens than usual (PQ or HLG).
    pub hdr: bool,
}

/// How frames follow one another.
#[derive(Clone, Debug, Serialize)]
pub struct Frames {
    /// How many.
    pub count: u64,
    /// Frames a second, as the header claims.
    pub nominal_rate: Option<f64>,
    /// Frames a second, as measured.
    pub measured_rate: f64,
    /// Whether the time between them varies.
    pub variable: bool,
    /// The time between two.
    pub interval_seconds: Range<f64>,
}

/// From key frame to key frame.
#[derive(Clone, Debug, Serialize)]
pub struct Groups {
    /// `closed`, `open`, `mixed`, `intra_refresh` or `none`.
    pub kind: &'static str,
    /// Key frames.
    pub key_frames: u64,
    /// Frames of a group.
    pub frames: Range<u64>,
    /// Length of a group.
    pub seconds: Range<f64>,
    /// The longest time without a key frame, the last group counted too.
    pub longest_wait_seconds: f64,
}

/// Which time chunks would have.
#[derive(Clone, Debug, Serialize)]
pub struct Clock {
    /// Of the first frame, RFC 3339.
    pub start: String,
    /// `playlist`, `file_creation`, `file_modified` or `host`.
    pub origin: &'static str,
}

/// How a source would be cut.
#[derive(Clone, Debug, Serialize)]
pub struct Cut {
    /// What was asked for.
    pub window_seconds: f64,
    /// `mp4`, `mkv` or `ts`.
    pub container: &'static str,
    /// Why that.
    pub container_reason: String,
    /// Always `copy`.
    pub mode: &'static str,
    /// Why that.
    pub mode_reason: &'static str,
    /// How many.
    pub chunks: u64,
    /// Lengths.
    pub seconds: Range<f64>,
    /// Sizes, of the pictures alone.
    pub bytes: Range<u64>,
}

/// Least, middle and most.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Range<T> {
    /// The least.
    pub min: T,
    /// The one in the middle.
    pub median: T,
    /// The most.
    pub max: T,
}

impl Report {
    /// What there is to say about a source that was read.
    pub fn new(
        source: &str,
        cut: &CutFlags,
        limit: Option<Duration>,
        identity: &FileIdentity,
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
            warnings: warnings::of(analysis, cut, identity.origin, &audio),
            audio,
            clock: clock(identity),
            cut: cuts(analysis, cut),
        }
    }
}

fn read(analysis: &Analysis, limit: Option<Duration>) -> Read {
    let failure = match &analysis.end {
        EndReason::Failed(error) => Some(warnings::with_causes(error)),
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

fn clock(identity: &FileIdentity) -> Clock {
    let start = jiff::Timestamp::from_microsecond(identity.start_us);
    Clock {
        start: start.map_or_else(|_| String::new(), |start| start.to_string()),
        origin: match identity.origin {
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
            "its sound does not go into mp4".to_owned()
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
