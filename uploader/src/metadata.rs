//! Metadata of a chunk's object, enough to file, play and check it from the bucket alone. Pure.

use crispy_bucket::Metadata;
use crispy_checksum::hex;
use crispy_fault::Fault;
use crispy_proto::v1::{ChunkReady, Rational, StartKind};
use jiff::Timestamp;

/// The metadata of a chunk's object, uploaded in the span `traceparent`. An untraced upload links
/// to the trace of the cut. The bucket adds `crc32c` and `sha256`; unknown values are left out.
pub(crate) fn for_chunk(
    chunk: &ChunkReady,
    traceparent: Option<String>,
) -> Result<Metadata, Fault> {
    let id = chunk.id.clone().unwrap_or_default();
    let video = chunk.video.clone().unwrap_or_default();
    let wall = chunk.wall.unwrap_or_default();
    let us = chunk.duration_us;
    let gap = chunk.gap_before_us.map(|us| us.to_string());
    let codec = if video.codec_string.is_empty() {
        video.codec
    } else {
        video.codec_string
    };
    let mut metadata = Metadata::default();
    for (key, value) in [
        ("camera", id.camera),
        ("site", id.site),
        ("run", id.run),
        ("sequence", id.sequence.to_string()),
        ("from", rfc3339(wall.start_us)),
        ("to", rfc3339(wall.end_us)),
        (
            "duration",
            format!("{}.{:06}", us / 1_000_000, us % 1_000_000),
        ),
        ("ticks", ticks(chunk)),
        ("packets", chunk.packets.to_string()),
        ("frames", chunk.frames.to_string()),
        ("resolution", format!("{}x{}", video.width, video.height)),
        ("channels", video.channels.to_string()),
        ("codec", codec),
        ("start", start(chunk)),
        ("gap", gap.unwrap_or_default()),
        ("prev", hex(&chunk.previous_sha256)),
        (
            "traceparent",
            traceparent.unwrap_or_else(|| chunk.traceparent.clone()),
        ),
    ] {
        if !value.is_empty() {
            metadata.insert(key, value)?;
        }
    }
    Ok(metadata)
}

/// `start,end,num/den`
fn ticks(chunk: &ChunkReady) -> String {
    let media = chunk.media.unwrap_or_default();
    let Rational { num, den } = media.timebase.unwrap_or_default();
    format!("{},{},{num}/{den}", media.start_ticks, media.end_ticks)
}

fn start(chunk: &ChunkReady) -> String {
    match chunk.start() {
        StartKind::Idr => "idr".into(),
        StartKind::OpenGop => format!("open:{}", chunk.leading_pictures),
        StartKind::RecoveryPoint => "recovery".into(),
        StartKind::None => "none".into(),
        StartKind::Unspecified => String::new(),
    }
}

/// RFC 3339 in UTC with microseconds. Empty for a time beyond the calendar.
pub(crate) fn rfc3339(us: i64) -> String {
    Timestamp::from_microsecond(us)
        .map(|at| format!("{at:.6}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_proto::v1;

    #[test]
    fn metadata_is_that_of_the_descriptor() {
        let chunk = ChunkReady {
            id: Some(v1::ChunkId {
                site: "demo".into(),
                camera: "front".into(),
                run: "0".repeat(26),
                sequence: 3,
            }),
            wall: Some(v1::WallInterval {
                start_us: 1_763_839_803_000_001,
                end_us: 1_763_839_806_000_001,
                ..Default::default()
            }),
            media: Some(v1::MediaInterval {
                start_ticks: -5,
                end_ticks: 46_075,
                timebase: Some(Rational {
                    num: 1,
                    den: 15_360,
                }),
                origin_ticks: -5,
            }),
            duration_us: 3_000_000,
            start: StartKind::OpenGop.into(),
            leading_pictures: 2,
            previous_sha256: vec![0xfe; 32],
            traceparent: "00-of-the-cut-01".into(),
            ..Default::default()
        };
        let metadata = for_chunk(&chunk, None).unwrap();
        let value = |key: &str| metadata.get(key).unwrap_or_default().to_owned();
        assert_eq!(value("from"), "2025-11-22T19:30:03.000001Z");
        assert_eq!(value("duration"), "3.000000");
        assert_eq!(value("ticks"), "-5,46075,1/15360");
        assert_eq!(
            (value("start"), value("prev")),
            ("open:2".into(), "fe".repeat(32))
        );
        assert_eq!(metadata.get("gap"), None);
        assert_eq!(value("traceparent"), "00-of-the-cut-01");
        let traced = for_chunk(&chunk, Some("00-of-the-upload-01".into())).unwrap();
        assert_eq!(traced.get("traceparent"), Some("00-of-the-upload-01"));
    }
}
