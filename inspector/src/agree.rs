//! Whether an object is what its descriptor says. Pure.
//!
//! Each container knows its own things: mp4 all of them to the tick, Matroska milliseconds and no count, MPEG-TS neither.
//! What it does not know is not compared; what differs is named with both values.

use media::{Container, Probe};
use proto::v1::{ChunkReady, Disagreement};

/// Every field in which the object differs from its descriptor, in the order of the descriptor.
pub fn disagreements(descriptor: &ChunkReady, object_size: u64, probe: &Probe) -> Vec<Disagreement> {
    let video = descriptor.video.clone().unwrap_or_default();
    let mut found = Vec::new();
    let mut compare = |field: &str, expected: String, object: String| {
        if expected != object {
            found.push(Disagreement { field: field.into(), expected, found: object });
        }
    };
    compare("size", descriptor.size.to_string(), object_size.to_string());
    if probe.container == Container::MpegTs {
        return found;
    }
    compare("codec", video.codec, probe.codec.name().into());
    compare("width", video.width.to_string(), probe.width.to_string());
    compare("height", video.height.to_string(), probe.height.to_string());
    // Zero: the headers do not say. That is not a difference.
    if video.channels > 0 && probe.channels > 0 {
        compare("channels", video.channels.to_string(), probe.channels.to_string());
    }
    if let Some(packets) = probe.packets {
        compare("packets", (descriptor.packets + u64::from(descriptor.hidden_preroll)).to_string(), packets.to_string());
    }
    if let Some(difference) = duration(descriptor, probe) {
        found.push(difference);
    }
    found
}

/// The one comparison that allows a difference: what the container cannot say exactly.
fn duration(descriptor: &ChunkReady, probe: &Probe) -> Option<Disagreement> {
    let expected_us = descriptor.duration_us;
    let found_us = duration_us(probe)?;
    let allowed_us = match probe.container {
        // An mp4 of an open group of pictures is short by its leading ones: its index starts at the first packet's time.
        Container::Mp4 => 1 + leading_us(descriptor),
        Container::Mkv | Container::MpegTs => 1_000 + leading_us(descriptor),
    };
    ((found_us - expected_us).abs() > allowed_us).then(|| Disagreement {
        field: "duration_us".into(),
        expected: expected_us.to_string(),
        found: found_us.to_string(),
    })
}

/// How long the object says it is, in microseconds, rounded to the nearest.
pub fn duration_us(probe: &Probe) -> Option<i64> {
    let (num, den) = (i128::from(probe.timebase.num()), i128::from(probe.timebase.den()));
    let us = (i128::from(probe.duration_ticks?) * num * 2_000_000 + den).div_euclid(2 * den);
    i64::try_from(us).ok()
}

fn leading_us(descriptor: &ChunkReady) -> i64 {
    let frames = i64::try_from(descriptor.frames.max(1)).unwrap_or(i64::MAX);
    // The longest a frame of this chunk can be on average, doubled: variable frame rates have longer ones.
    i64::from(descriptor.leading_pictures) * (2 * descriptor.duration_us / frames)
}
