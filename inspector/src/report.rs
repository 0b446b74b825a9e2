//! What an inspection says: as a message for programs, as a line for people.

use crispy_media::Probe;
use crispy_proto::{
    id::ChunkId,
    v1::{self, ChunkInspected, ChunkUploaded, Disagreement, MediaInterval, Rational},
};
use crispy_runtime::{logging::CHUNKS, now_us};
use jiff::Timestamp;
use tracing::{info, warn};

use crate::agree;

/// What was read back.
#[derive(Debug, Default)]
pub struct Report {
    /// What the object says it is; nothing if it cannot be read as video.
    pub probe: Option<Probe>,
    /// Where it differs from its descriptor.
    pub disagreements: Vec<Disagreement>,
    /// Bytes of it that were read.
    pub bytes_read: u64,
    /// In how many requests.
    pub reads: u64,
}

/// The report as it is published.
pub fn message(upload: ChunkUploaded, report: Report, producer: &v1::Producer) -> ChunkInspected {
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
        duration_us: agree::duration_us(&probe).unwrap_or(0),
        packets: probe.packets,
        ..inspected
    }
}

/// One line a chunk: what it is, how long, where, and whether that is what its descriptor says.
pub fn log(id: &ChunkId, inspected: &ChunkInspected) {
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
            // Its container does not say.
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
            "the object is not what its descriptor says: keep both, and compare with the camera"
        );
    }
}

/// `packets: expected 90, found 89; …`
pub fn differences(disagreements: &[Disagreement]) -> String {
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
