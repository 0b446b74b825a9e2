//! Warnings for an operator before recording a source, each with advice. Pure.

use crispy_fault::chain;
use crispy_media::{Analysis, Codec, EndReason, VideoFormat};
use crispy_proto::v1::ClockOrigin;
use crispy_runtime::cut::{Audio, CutFlags};
use serde::Serialize;

/// A problem of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Warning {
    /// Its kind, for programs.
    pub(super) code: &'static str,
    /// The problem, with figures.
    pub(super) message: String,
    /// Advice.
    pub(super) advice: &'static str,
}

fn warn(code: &'static str, message: String, advice: &'static str) -> Warning {
    Warning {
        code,
        message,
        advice,
    }
}

/// All problems, the worst first.
pub(super) fn find(
    analysis: &Analysis,
    cut: &CutFlags,
    origin: ClockOrigin,
    audio: &[&'static str],
) -> Vec<Warning> {
    let mut all = Vec::new();
    all.extend(missing(analysis));
    all.extend(time(analysis, origin));
    all.extend(groups(analysis, cut));
    all.extend(playing(analysis));
    if !audio.is_empty() && cut.audio == Audio::Drop {
        let message = format!("its audio ({}) would be dropped", audio.join(", "));
        all.push(warn(
            "audio_dropped",
            message,
            "record with --audio keep if it matters",
        ));
    }
    all
}

/// Missing and damaged video.
fn missing(analysis: &Analysis) -> Vec<Warning> {
    let mut all = Vec::new();
    if let EndReason::Failed(error) = &analysis.end {
        let read = analysis.read.as_secs_f64();
        let message = format!("it could be read for {read:.3} s only: {}", chain(error));
        all.push(warn("unreadable", message, "recording it would end there too, with an error: copy it again, or check server and disk"));
    }
    let claimed = analysis.claimed.unwrap_or_default();
    // A claim is rounded, and the last frame's length is often left out.
    let short = claimed.saturating_sub(analysis.read).as_secs_f64();
    if matches!(analysis.end, EndReason::EndOfSource)
        && analysis.steps.is_empty()
        && short > 1.0 + claimed.as_secs_f64() * 0.01
    {
        let message = format!(
            "it claims to last {:.3} s, and {short:.3} s of that are not there",
            claimed.as_secs_f64()
        );
        all.push(warn(
            "shorter_than_claimed",
            message,
            "if it was copied, copy it again; if the recorder broke off, that is all there is",
        ));
    }
    if analysis.lost > 0 {
        let message = format!(
            "it starts in the middle of a group: {} packets before the first key frame cannot be decoded",
            analysis.lost
        );
        all.push(warn("starts_without_key", message, "they are left out and counted in the first chunk; to keep them, record from a key frame on"));
    }
    if analysis.corrupt > 0 {
        let message = format!(
            "{} of {} packets are damaged, by the source's own marks",
            analysis.corrupt, analysis.packets
        );
        all.push(warn(
            "corrupt_packets",
            message,
            "they are kept as they are; check the network or disk they came over",
        ));
    }
    all
}

/// Odd timestamps.
fn time(analysis: &Analysis, origin: ClockOrigin) -> Vec<Warning> {
    let mut all = Vec::new();
    if !analysis.steps.is_empty() {
        let steps: Vec<String> = analysis
            .steps
            .iter()
            .take(5)
            .map(|step| format!("{step:+.3} s"))
            .collect();
        let message = format!(
            "its clock jumps: {} runs, steps of {}",
            analysis.steps.len() + 1,
            steps.join(", ")
        );
        all.push(warn("time_steps", message, "each step ends a run and starts another, and gaps are declared; check whether the camera's clock is set, or recordings were joined"));
    }
    if analysis.times_inferred {
        let message = "some frames come without a time; it is inferred from the order of pictures and the frame rate".to_owned();
        all.push(warn(
            "times_inferred",
            message,
            "a container with times (mp4, mkv, MPEG-TS) gives exact ones",
        ));
    }
    if origin == ClockOrigin::Host {
        let message = "neither the video nor its server gives a date".to_owned();
        all.push(warn("no_date", message, "its clock would start at the time of recording, and ingesting it again would store it again: give it a creation_time, or let the server send Last-Modified"));
    }
    if origin == ClockOrigin::FileModified {
        let message =
            "it gives no date: its clock would start at the last change of the file".to_owned();
        all.push(warn(
            "date_of_file",
            message,
            "keep that date when copying it (cp -p, rsync -t), or give it a creation_time",
        ));
    }
    all
}

/// Odd key frames.
fn groups(analysis: &Analysis, cut: &CutFlags) -> Vec<Warning> {
    let mut all = Vec::new();
    let [window, wait, longest] =
        [cut.window, analysis.longest_wait, analysis.chunks.max].map(|time| time.as_secs_f64());
    if analysis.dependent_chunks > 0 {
        let chunks = analysis.dependent_chunks;
        let message = format!(
            "{chunks} chunks begin without a key frame: there is none for up to {wait:.3} s"
        );
        all.push(warn("no_key_frame", message, "they play only when joined to the chunk before: set the camera to a key frame every 1 or 2 s"));
    }
    if analysis.longest_wait > cut.window && longest > window {
        let message = format!(
            "no key frame for up to {wait:.3} s, so chunks are up to {longest:.3} s long instead of {window:.3} s"
        );
        all.push(warn(
            "long_groups",
            message,
            "set the camera to a shorter key frame interval (GOP), or a longer --window",
        ));
    }
    if analysis.leading_pictures > 0 {
        let message = format!(
            "open groups: {} pictures at the beginnings of chunks need the chunk before; chunks are up to {longest:.3} s long, for a cut waits up to two windows for a closed group",
            analysis.leading_pictures
        );
        all.push(warn("open_groups", message, "joined, every frame is there; for chunks that play alone to the last frame, set the camera to closed GOPs"));
    }
    if analysis.recovery_points > 0 {
        let points = analysis.recovery_points;
        let message = format!(
            "intra refresh: {points} points from which the picture becomes right only after some frames"
        );
        all.push(warn(
            "intra_refresh",
            message,
            "cuts are not made there: set the camera to key frames (IDR)",
        ));
    }
    if analysis.format_changes > 0 {
        let message = format!(
            "resolution or other parameters change {} times on the way",
            analysis.format_changes
        );
        all.push(warn(
            "format_changes",
            message,
            "each change begins a chunk; players of joined chunks may stumble",
        ));
    }
    all
}

/// True if browsers play a codec in any container.
fn plays_in_browsers(codec: Codec) -> bool {
    matches!(
        codec,
        Codec::H264 | Codec::H265 | Codec::Av1 | Codec::Vp8 | Codec::Vp9
    )
}

/// Problems of playback.
fn playing(analysis: &Analysis) -> Vec<Warning> {
    let mut all = Vec::new();
    let format = &analysis.format;
    if !plays_in_browsers(format.codec) {
        let message = format!("browsers do not play {} video", format.codec);
        all.push(warn(
            "not_for_browsers",
            message,
            "players such as VLC do; for browsers, set the camera to H.264",
        ));
    }
    if is_hdr(format) {
        let message = format!("HDR video ({})", format.color.transfer);
        all.push(warn(
            "hdr",
            message,
            "it is kept unchanged; on screens without HDR it looks pale",
        ));
    }
    if analysis.varies() {
        let message = format!(
            "the time between frames varies, from {:.3} s to {:.3} s",
            analysis.intervals.min.as_secs_f64(),
            analysis.intervals.max.as_secs_f64()
        );
        all.push(warn(
            "variable_frame_rate",
            message,
            "every frame keeps its exact time; check the camera if it should be constant",
        ));
    }
    all
}

/// True if it is PQ or HLG, made for brighter screens than usual.
pub(super) fn is_hdr(format: &VideoFormat) -> bool {
    ["smpte2084", "arib-std-b67"].contains(&format.color.transfer.as_str())
}
