//! Converts a cut chunk into its descriptor, a protobuf message. Pure.

use crispy_checksum::Checksums;
use crispy_media::{AudioTrack, ByteLayout, Chunk, Container, StartKind, VideoFormat};
use crispy_proto::{id::ChunkId, v1};
use crispy_source::WallClock;

/// The facts of a descriptor beside the chunk itself.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) id: ChunkId,
    /// The start of its run.
    pub(crate) wall: WallClock,
    /// Missing time before the run in microseconds, for its first chunk.
    pub(crate) gap_before_us: Option<i64>,
    /// SHA-256 of the chunk before it in the run; empty on the first.
    pub(crate) previous_sha256: Vec<u8>,
    pub(crate) spool_id: String,
    /// This process.
    pub(crate) producer: v1::Producer,
    /// Now, in Unix microseconds.
    pub(crate) now_us: i64,
    /// The span of its cut, if it is traced.
    pub(crate) traceparent: Option<String>,
}

/// The descriptor of `chunk`.
///
/// All times follow from the run's origin, never from the chunk before, so that rounding does not
/// add up.
pub(crate) fn describe(chunk: &Chunk, checksums: &Checksums, context: Context) -> v1::ChunkReady {
    let cut = &chunk.cut;
    let since_origin = |ticks: i64| cut.timebase.microseconds(ticks - cut.origin_ticks);
    let (start_us, end_us) = (since_origin(cut.start_ticks), since_origin(cut.end_ticks));
    let (start, leading_pictures) = start(cut.start);
    v1::ChunkReady {
        id: Some(context.id.to_wire()),
        media: Some(v1::MediaInterval {
            start_ticks: cut.start_ticks,
            end_ticks: cut.end_ticks,
            timebase: rational(cut.timebase.num(), cut.timebase.den()),
            origin_ticks: cut.origin_ticks,
        }),
        duration_us: cut.timebase.microseconds(cut.duration_ticks()),
        nominal_window_us: i64::try_from(cut.nominal_window.as_micros()).unwrap_or(i64::MAX),
        wall: Some(v1::WallInterval {
            start_us: context.wall.start_us + start_us,
            end_us: context.wall.start_us + end_us,
            origin: context.wall.origin.into(),
            camera_ntp_start_us: None,
        }),
        gap_before_us: context.gap_before_us,
        video: Some(video(&chunk.format)),
        audio: chunk.audio.iter().map(audio).collect(),
        packets: cut.packets.into(),
        frames: cut.frames.into(),
        key_frames: cut.key_frames.into(),
        container: container(chunk.container).into(),
        content_type: chunk.container.content_type().into(),
        start: start.into(),
        leading_pictures,
        hidden_preroll: cut.hidden_preroll,
        packets_lost: cut.lost.into(),
        packets_corrupt: cut.corrupt.into(),
        pts_inferred: cut.pts_inferred,
        end_inferred: cut.end_inferred,
        depends_on_previous: cut.depends_on_previous,
        mode: v1::Mode::Copy.into(),
        decimation: 1,
        size: chunk.bytes.len() as u64,
        crc32c: checksums.crc32c,
        sha256: checksums.sha256.to_vec(),
        previous_sha256: context.previous_sha256,
        ranges: Some(ranges(&chunk.layout)),
        spool_id: context.spool_id,
        producer: Some(context.producer),
        committed_us: context.now_us,
        needs: Vec::new(),
        traceparent: context.traceparent.unwrap_or_default(),
    }
}

/// The format of the pictures.
pub(crate) fn video(format: &VideoFormat) -> v1::VideoFormat {
    let positive = |(num, den): (u32, u32)| (num > 0).then(|| rational(num, den)).flatten();
    let known = |text: &str| {
        if text == "unknown" {
            String::new()
        } else {
            text.to_owned()
        }
    };
    v1::VideoFormat {
        codec: format.codec.name().into(),
        codec_string: format.rfc6381.clone(),
        profile: known(&format.profile),
        width: format.width,
        height: format.height,
        sample_aspect_ratio: positive(format.sample_aspect),
        rotation_degrees: format.rotation_degrees,
        color: Some(v1::ColorDescription {
            primaries: known(&format.color.primaries),
            transfer: known(&format.color.transfer),
            matrix: known(&format.color.space),
            range: known(&format.color.range),
        }),
        pixel_format: known(&format.pixel_format),
        channels: format.channels,
        bit_depth: format.bit_depth,
        frame_rate: positive(format.frame_rate),
    }
}

fn audio(track: &AudioTrack) -> v1::AudioTrack {
    v1::AudioTrack {
        codec: track.format.codec.into(),
        codec_string: track.format.rfc6381.clone(),
        sample_rate: track.format.sample_rate,
        channels: track.format.channels,
        samples: track.samples,
        preroll_samples: track.preroll_samples,
    }
}

fn rational(num: u32, den: u32) -> Option<v1::Rational> {
    (den > 0).then(|| v1::Rational {
        num: num.into(),
        den: den.into(),
    })
}

fn ranges(layout: &ByteLayout) -> v1::ByteRanges {
    v1::ByteRanges {
        index: range(&layout.index),
        first_key_frame: range(&layout.first_key_frame),
        ..Default::default()
    }
}

fn range(range: &std::ops::Range<u64>) -> Option<v1::ByteRange> {
    (!range.is_empty()).then(|| v1::ByteRange {
        offset: range.start,
        length: range.end - range.start,
    })
}

fn container(container: Container) -> v1::Container {
    match container {
        Container::Mp4 => v1::Container::Mp4,
        Container::Mkv => v1::Container::Mkv,
        Container::MpegTs => v1::Container::MpegTs,
    }
}

fn start(start: StartKind) -> (v1::StartKind, u32) {
    match start {
        StartKind::Idr => (v1::StartKind::Idr, 0),
        StartKind::Open { leading } => (v1::StartKind::OpenGop, leading),
        StartKind::RecoveryPoint => (v1::StartKind::RecoveryPoint, 0),
        StartKind::None => (v1::StartKind::None, 0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn durations_on_one_origin_never_drift(
            cuts in proptest::collection::vec(1..1_000_000_i64, 1..50),
            den in 1..100_000_u32,
        ) {
            let timebase = crispy_media::Timebase::new(1, den).unwrap();
            let total: i64 = cuts.iter().sum();
            let mut at = 0;
            let mut summed = 0;
            for cut in cuts {
                summed += timebase.microseconds(at + cut) - timebase.microseconds(at);
                at += cut;
            }
            prop_assert_eq!(summed, timebase.microseconds(total));
        }
    }
}
