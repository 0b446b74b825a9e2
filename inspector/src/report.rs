//! The result of an inspection, as a message for programs and a log line for people.

use crispy_media::Probe;
use crispy_proto::{
    id::ChunkId,
    v1::{self, ChunkInspected, ChunkUploaded, Disagreement, MediaInterval, Rational},
};
use crispy_runtime::{logging::CHUNKS, now_us};
use jiff::Timestamp;
use tracing::{info, warn};

use crate::compare;

/// The result of a read.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The object's own description; `None` if it is no readable video.
    pub(crate) probe: Option<Probe>,
    /// Differences from its descriptor.
    pub(crate) disagreements: Vec<Disagreement>,
    /// Bytes of it that were read.
    pub(crate) bytes_read: u64,
    /// Requests of these reads.
    pub(crate) reads: u64,
}

/// The message of a report.
pub(crate) fn message(
    upload: ChunkUploaded,
    report: Report,
    producer: &v1::Producer,
) -> ChunkInspected {
    let described = upload
        .chunk
        .as_ref()
        .and_then(|chunk| chunk.media)
        .unwrap_or_default();
    let inspected = ChunkInspected {
        agrees: report.disagreements.is_empty(),
        disagreements: report.disagreements,
        bytes_read: report.bytes_read,
        reads: u32::try_from(report.reads).unwrap_or(u32::MAX),
        inspected_us: now_us(),
        producer: Some(producer.clone()),
        upload: Some(upload),
        ..Default::default()
    };
    let Some(probe) = report.probe else {
        return inspected;
    };
    ChunkInspected {
        width: probe.width,
        height: probe.height,
        channels: probe.channels,
        codec: probe.codec.name().into(),
        found: probe.duration_ticks.map(|length| MediaInterval {
            start_ticks: described.start_ticks,
            end_ticks: described.start_ticks + length,
            timebase: Some(Rational {
                num: probe.timebase.num().into(),
                den: probe.timebase.den().into(),
            }),
            origin_ticks: described.origin_ticks,
        }),
        duration_us: compare::duration_us(&probe).unwrap_or(0),
        packets: probe.packets,
        ..inspected
    }
}

/// Logs one line a chunk: resolution, duration, link, and agreement with its descriptor.
pub(crate) fn log(id: &ChunkId, inspected: &ChunkInspected) {
    let upload = inspected.upload.clone().unwrap_or_default();
    let wall = upload
        .chunk
        .as_ref()
        .and_then(|chunk| chunk.wall)
        .unwrap_or_default();
    let resolution = format!(
        "({}, {}, {})",
        inspected.height, inspected.width, inspected.channels
    );
    let (duration, from, to) = (
        match &inspected.found {
            Some(_) => seconds(inspected.duration_us),
            // Its container has no duration.
            None => "unknown".into(),
        },
        time(wall.start_us),
        time(wall.end_us),
    );
    let media_link = upload.media_link;
    let agrees = inspected.agrees;
    if agrees {
        info!(target: CHUNKS, chunk = %id, resolution, duration, from, to, media_link, agrees, "inspected");
    }
    if !agrees {
        let differs = differences(&inspected.disagreements);
        warn!(
            chunk = %id, resolution, duration, from, to, media_link, agrees, differs,
            hint = "keep object and descriptor, and compare them with the camera",
            "object differs from its descriptor"
        );
    }
}

/// `packets: expected 90, found 89; …`
pub(crate) fn differences(disagreements: &[Disagreement]) -> String {
    let one = |d: &Disagreement| format!("{}: expected {}, found {}", d.field, d.expected, d.found);
    disagreements.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn seconds(us: i64) -> String {
    format!("{}.{:06}s", us / 1_000_000, us % 1_000_000)
}

fn time(us: i64) -> String {
    Timestamp::from_microsecond(us)
        .map(|at| format!("{at:.6}"))
        .unwrap_or_default()
}
