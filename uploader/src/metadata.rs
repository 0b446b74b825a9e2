//! What an object says about itself: a chunk can be filed, played and checked from the bucket alone. Pure.

use crispy_bucket::{Metadata, MetadataError};
use crispy_proto::v1::{ChunkReady, Rational, StartKind};
use jiff::Timestamp;

/// The metadata of a chunk's object, uploaded at `traceparent`: where no trace is made of that, the object leads to the trace of the cut. The
/// bucket adds `crc32c` and `sha256`; values that are not known are left out.
pub fn of_chunk(
    chunk: &ChunkReady,
    traceparent: Option<String>,
) -> Result<Metadata, MetadataError> {
    let id = chunk.id.clone().unwrap_or_default();
    let video = chunk.video.clone().unwrap_or_default();
    let wall = chunk.wall.unwrap_or_default();
    let mut metadata = Metadata::default();
    let mut say = |key: &str, value: String| {
        if value.is_empty() {
            Ok(())
        } else {
            metadata.insert(key, value)
        }
    };
    say("camera", id.camera)?;
    say("site", id.site)?;
    say("run", id.run)?;
    say("sequence", id.sequence.to_string())?;
    say("from", rfc3339(wall.start_us))?;
    say("to", rfc3339(wall.end_us))?;
    say(
        "duration",
        format!(
            "{}.{:06}",
            chunk.duration_us / 1_000_000,
            chunk.duration_us % 1_000_000
        ),
    )?;
    say("ticks", ticks(chunk))?;
    say("packets", chunk.packets.to_string())?;
    say("frames", chunk.frames.to_string())?;
    say("resolution", format!("{}x{}", video.width, video.height))?;
    say("channels", video.channels.to_string())?;
    say(
        "codec",
        if video.codec_string.is_empty() {
            video.codec
        } else {
            video.codec_string
        },
    )?;
    say("start", start(chunk))?;
    say(
        "gap",
        chunk
            .gap_before_us
            .map(|us| us.to_string())
            .unwrap_or_default(),
    )?;
    say("prev", hex(&chunk.previous_sha256))?;
    let of_the_cut = || chunk.traceparent.clone();
    say("traceparent", traceparent.unwrap_or_else(of_the_cut))?;
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

/// RFC 3339 in UTC with microseconds. Empty for a time that no calendar has.
pub fn rfc3339(us: i64) -> String {
    Timestamp::from_microsecond(us)
        .map(|at| format!("{at:.6}"))
        .unwrap_or_default()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_proto::v1;

    #[test]
    fn an_object_says_what_the_descriptor_says() {
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
        let metadata = of_chunk(&chunk, None).unwrap();
        let said = |key: &str| metadata.get(key).unwrap_or_default().to_owned();
        assert_eq!(said("from"), "2025-11-22T19:30:03.000001Z");
        assert_eq!(said("duration"), "3.000000");
        assert_eq!(said("ticks"), "-5,46075,1/15360");
        assert_eq!(
            (said("start"), said("prev")),
            ("open:2".into(), "fe".repeat(32))
        );
        assert_eq!(metadata.get("gap"), None);
        assert_eq!(said("traceparent"), "00-of-the-cut-01");
        let traced = of_chunk(&chunk, Some("00-of-the-upload-01".into())).unwrap();
        assert_eq!(traced.get("traceparent"), Some("00-of-the-upload-01"));
    }
}
