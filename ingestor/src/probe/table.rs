//! The report for people. Pure.

use bytesize::ByteSize;
use comfy_table::{ContentArrangement, Table, presets};

use super::report::{Range, Report};

/// Facts as a table, and the warnings below it.
pub(super) fn render(report: &Report) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic);
    for (name, value) in rows(report) {
        table.add_row([name, &value]);
    }
    let mut text = table.to_string();
    if report.warnings.is_empty() {
        return text + "\nNo warnings.";
    }
    for warning in &report.warnings {
        text += &format!("\n! {}\n  -> {}", warning.message, warning.advice);
    }
    text
}

fn rows(report: &Report) -> [(&'static str, String); 12] {
    let cut = &report.cut;
    let audio = if report.audio.is_empty() {
        "none".to_owned()
    } else {
        report.audio.join(", ")
    };
    [
        ("source", report.source.clone()),
        ("read", read(report)),
        ("video", codec(report)),
        ("picture", picture(report)),
        ("colour", colour(report)),
        ("frames", frames(report)),
        ("groups", groups(report)),
        ("audio", audio),
        (
            "clock",
            format!("{}, {}", report.clock.start, origin(report.clock.origin)),
        ),
        (
            "container",
            format!("{}: {}", cut.container, cut.container_reason),
        ),
        ("mode", format!("{}: {}", cut.mode, cut.mode_reason)),
        ("chunks", chunks(report)),
    ]
}

fn read(report: &Report) -> String {
    let read = &report.read;
    let rate = read.bits_per_second as f64 / 1e6;
    let claimed = read
        .claimed_seconds
        .map_or_else(String::new, |claimed| format!(" of {claimed:.3} s"));
    let part = match (&read.failure, read.whole, read.limit_seconds) {
        (Some(_), ..) => "and no further".to_owned(),
        (None, true, _) => "the whole".to_owned(),
        (None, false, limit) => {
            let limit = limit.unwrap_or_default();
            format!("--limit {limit:.0}s; `--limit none` reads all of it")
        }
    };
    format!("{:.3} s{claimed} ({part}), {rate:.3} Mbit/s", read.seconds)
}

fn codec(report: &Report) -> String {
    let video = &report.video;
    let mut text = format!("{}, profile {}", video.codec, video.profile);
    if !video.codec_string.is_empty() {
        text += &format!(", {}", video.codec_string);
    }
    text
}

fn picture(report: &Report) -> String {
    let video = &report.video;
    let mut text = format!("{}x{}", video.width, video.height);
    if video.sample_aspect_ratio != "1:1" {
        text += &format!(", pixels {}", video.sample_aspect_ratio);
    }
    if video.rotation_degrees != 0 {
        text += &format!(", turned by {} degrees", video.rotation_degrees);
    }
    text
}

fn colour(report: &Report) -> String {
    let video = &report.video;
    let depth = match video.bit_depth {
        0 => String::new(),
        bits => format!(", {bits} bit"),
    };
    let hdr = if video.hdr { ", HDR" } else { "" };
    let known = [
        ("primaries", &video.primaries),
        ("transfer", &video.transfer),
        ("matrix", &video.matrix),
        ("range", &video.range),
    ];
    let known = known.iter().filter(|(_, word)| *word != "unknown");
    let known: String = known
        .map(|(name, word)| format!(", {name} {word}"))
        .collect();
    format!("{}{depth}{hdr}{known}", video.pixel_format)
}

fn frames(report: &Report) -> String {
    let frames = &report.frames;
    let nominal = frames
        .nominal_rate
        .map_or_else(|| "nothing".to_owned(), |rate| format!("{rate:.3}"));
    let kind = if frames.variable {
        "variable"
    } else {
        "constant"
    };
    format!(
        "{}; {:.3} a second ({kind}), the header claims {nominal}",
        frames.count, frames.measured_rate
    )
}

fn groups(report: &Report) -> String {
    let groups = &report.groups;
    match groups.key_frames {
        0 => return "no key frame".to_owned(),
        1 => return "one key frame, and no other".to_owned(),
        _ => {}
    }
    format!(
        "{}, {} key frames; every {} frames, {} s",
        groups.kind.replace('_', " "),
        groups.key_frames,
        span(&groups.frames, |frames| frames.to_string()),
        span(&groups.seconds, |seconds| format!("{seconds:.3}")),
    )
}

fn origin(origin: &str) -> &'static str {
    match origin {
        "playlist" => "the playlist's date",
        "file_creation" => "the container's creation time",
        "file_modified" => "the last change of the file",
        _ => "now: nothing else gives a date",
    }
}

fn chunks(report: &Report) -> String {
    let cut = &report.cut;
    let bytes = |bytes: u64| ByteSize(bytes).display().iec().to_string();
    format!(
        "{} for a window of {} s; {} s, {}",
        cut.chunks,
        cut.window_seconds,
        span(&cut.seconds, |seconds| format!("{seconds:.3}")),
        span(&cut.bytes, bytes),
    )
}

/// `2.000`, or `0.200 / 2.000 / 3.400`: least, middle, most.
fn span<T: Copy + PartialEq>(range: &Range<T>, show: impl Fn(T) -> String) -> String {
    if range.min == range.max {
        return show(range.min);
    }
    [range.min, range.median, range.max].map(show).join(" / ")
}
