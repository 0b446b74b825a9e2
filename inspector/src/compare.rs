//! Comparison of an object with its descriptor. Pure.
//!
//! Containers differ in their fields: mp4 has all of them to the tick, Matroska milliseconds and no
//! packet count, MPEG-TS neither. Missing fields are not compared; a difference is reported with
//! both values.

use crispy_media::{Container, Probe};
use crispy_proto::v1::{ChunkReady, Disagreement};

/// Every field in which the object differs from its descriptor, in the order of the descriptor.
pub(crate) fn disagreements(
    descriptor: &ChunkReady,
    object_size: u64,
    probe: &Probe,
) -> Vec<Disagreement> {
    let video = descriptor.video.clone().unwrap_or_default();
    let mut found = Vec::new();
    let mut compare = |field: &str, expected: String, object: String| {
        if expected != object {
            found.push(Disagreement {
                field: field.into(),
                expected,
                found: object,
            });
        }
    };
    compare("size", descriptor.size.to_string(), object_size.to_string());
    if probe.container == Container::MpegTs {
        return found;
    }
    compare("codec", video.codec, probe.codec.name().into());
    compare("width", video.width.to_string(), probe.width.to_string());
    compare("height", video.height.to_string(), probe.height.to_string());
    // Zero means that the headers have no such field. That is not a difference.
    if video.channels > 0 && probe.channels > 0 {
        compare(
            "channels",
            video.channels.to_string(),
            probe.channels.to_string(),
        );
    }
    if let Some(packets) = probe.packets {
        compare(
            "packets",
            (descriptor.packets + u64::from(descriptor.hidden_preroll)).to_string(),
            packets.to_string(),
        );
    }
    if let Some(difference) = duration(descriptor, probe) {
        found.push(difference);
    }
    found
}

/// The one comparison with a tolerance, where the container is not exact.
fn duration(descriptor: &ChunkReady, probe: &Probe) -> Option<Disagreement> {
    let expected_us = descriptor.duration_us;
    let found_us = duration_us(probe)?;
    let allowed_us = match probe.container {
        // An mp4 of an open group of pictures lacks its leading ones: its index starts at the first
        // packet's time.
        Container::Mp4 => 1 + leading_us(descriptor),
        Container::Mkv | Container::MpegTs => 1_000 + leading_us(descriptor),
    };
    ((found_us - expected_us).abs() > allowed_us).then(|| Disagreement {
        field: "duration_us".into(),
        expected: expected_us.to_string(),
        found: found_us.to_string(),
    })
}

/// The object's own duration, in microseconds.
pub(crate) fn duration_us(probe: &Probe) -> Option<i64> {
    Some(probe.timebase.microseconds(probe.duration_ticks?))
}

fn leading_us(descriptor: &ChunkReady) -> i64 {
    let frames = i64::try_from(descriptor.frames.max(1)).unwrap_or(i64::MAX);
    // Twice the average duration of a frame: variable frame rates have longer ones.
    i64::from(descriptor.leading_pictures) * (2 * descriptor.duration_us / frames)
}

#[cfg(test)]
mod tests {
    use crispy_media::{Codec, Timebase};
    use crispy_proto::v1::VideoFormat;
    use proptest::prelude::*;

    use super::*;

    fn descriptor() -> ChunkReady {
        let video = VideoFormat {
            codec: "h264".into(),
            width: 1920,
            height: 1080,
            channels: 3,
            ..Default::default()
        };
        ChunkReady {
            size: 1000,
            packets: 90,
            frames: 90,
            duration_us: 3_003_000,
            video: Some(video),
            ..Default::default()
        }
    }

    fn probe(container: Container) -> Probe {
        Probe {
            width: 1920,
            height: 1080,
            channels: 3,
            codec: Codec::H264,
            rfc6381: None,
            container,
            duration_ticks: Some(90_090),
            timebase: Timebase::new(1, 30_000).unwrap(),
            packets: Some(90),
        }
    }

    fn fields(descriptor: &ChunkReady, size: u64, probe: &Probe) -> Vec<String> {
        disagreements(descriptor, size, probe)
            .into_iter()
            .map(|d| d.field)
            .collect()
    }

    #[test]
    fn an_equal_object_agrees() {
        assert!(fields(&descriptor(), 1000, &probe(Container::Mp4)).is_empty());
    }

    #[test]
    fn each_difference_is_named_with_both_values() {
        let good = probe(Container::Mp4);
        let but = |change: fn(&mut Probe)| {
            let mut probe = good.clone();
            change(&mut probe);
            probe
        };
        let differs = [
            ("codec", but(|probe| probe.codec = Codec::H265)),
            ("width", but(|probe| probe.width -= 1)),
            ("height", but(|probe| probe.height += 1)),
            ("channels", but(|probe| probe.channels = 1)),
            ("packets", but(|probe| probe.packets = Some(89))),
            (
                "duration_us",
                but(|probe| probe.duration_ticks = Some(90_089)),
            ),
        ];
        for (field, probe) in differs {
            assert_eq!(fields(&descriptor(), 1000, &probe), [field]);
        }
        let size = disagreements(&descriptor(), 999, &good).remove(0);
        assert_eq!(
            (size.expected.as_str(), size.found.as_str()),
            ("1000", "999")
        );
    }

    #[test]
    fn fields_that_a_container_lacks_are_not_compared() {
        let blind = Probe {
            channels: 0,
            packets: None,
            duration_ticks: None,
            ..probe(Container::Mkv)
        };
        assert!(fields(&descriptor(), 1000, &blind).is_empty());
        let other = Probe {
            width: 1,
            packets: Some(1),
            duration_ticks: Some(1),
            ..probe(Container::MpegTs)
        };
        assert!(fields(&descriptor(), 1000, &other).is_empty());
    }

    #[test]
    fn matroska_is_exact_to_a_millisecond() {
        let timebase = Timebase::new(1, 1000).unwrap();
        let lasts = |ms| Probe {
            duration_ticks: Some(ms),
            timebase,
            ..probe(Container::Mkv)
        };
        assert!(fields(&descriptor(), 1000, &lasts(3_004)).is_empty());
        assert_eq!(fields(&descriptor(), 1000, &lasts(3_005)), ["duration_us"]);
    }

    #[test]
    fn an_open_group_lacks_its_leading_pictures_at_most() {
        let open = ChunkReady {
            leading_pictures: 2,
            ..descriptor()
        };
        let short = |frames: i64| Probe {
            duration_ticks: Some(90_090 - 1001 * frames),
            ..probe(Container::Mp4)
        };
        assert!(fields(&open, 1000, &short(2)).is_empty());
        assert_eq!(fields(&open, 1000, &short(5)), ["duration_us"]);
    }

    proptest! {
        #[test]
        fn a_difference_of_one_tick_is_never_missed(ticks in 1..10_000_000_i64, den in 1..=500_000_u32, off in prop_oneof![Just(-1), Just(1)]) {
            let timebase = Timebase::new(1, den).unwrap();
            let chunk = ChunkReady { duration_us: timebase.microseconds(ticks), ..descriptor() };
            let lasts = |ticks| Probe { duration_ticks: Some(ticks), timebase, ..probe(Container::Mp4) };
            prop_assert!(fields(&chunk, 1000, &lasts(ticks)).is_empty());
            prop_assert_eq!(fields(&chunk, 1000, &lasts(ticks + off)), ["duration_us"]);
        }
    }
}
