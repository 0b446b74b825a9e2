//! H.264 (ITU-T H.264, 7.3 and annex D).

mod slice;

use h264_reader::nal::sps::{ColourDescription, PicOrderCntType, SeqParameterSet, VideoSignalType};
use h264_reader::rbsp::{BitRead, BitReader};

pub(crate) use self::slice::FieldReader;
pub(super) use self::slice::{slice, slice_format};
use super::bits::Bits;
use super::units::split_unit;
use super::{Color, Framing, Sequence, unescape, units};
use crate::cutter::Picture;

/// NAL unit types, table 7-1.
mod kind {
    pub(super) const SLICE: u8 = 1;
    pub(super) const PARTITION_A: u8 = 2;
    pub(super) const IDR: u8 = 5;
    pub(super) const SEI: u8 = 6;
    pub(super) const SPS: u8 = 7;
    pub(super) const PPS: u8 = 8;
}

/// SEI payload type of a recovery point, annex D.
const RECOVERY_POINT: usize = 6;

/// The kind of picture in a packet that the demuxer calls a key frame.
///
/// FFmpeg calls every picture with a recovery point a key frame. With intra refresh, decoding is
/// not correct there at once: of 300 frames, 184 were. Only `recovery_frame_cnt` 0 makes it a key
/// frame.
pub(crate) fn classify_key(packet: &[u8], framing: Framing) -> Picture {
    let mut recovery = None;
    for unit in units(packet, framing) {
        match unit[0] & 0x1f {
            kind::IDR => return Picture::Idr,
            kind::SEI => {
                recovery = recovery.or_else(|| recovery_frames(&unescape(&unit[1..], 512)))
            }
            kind::SLICE | kind::PARTITION_A => break,
            _ => {}
        }
    }
    match recovery {
        Some(1..) => Picture::RecoveryPoint,
        _ => Picture::OpenKey,
    }
}

/// `recovery_frame_cnt` of the first recovery point in an SEI message.
fn recovery_frames(mut sei: &[u8]) -> Option<u32> {
    while sei.len() > 2 {
        let kind = take_sei_number(&mut sei)?;
        let size = take_sei_number(&mut sei)?;
        let payload = sei.get(..size)?;
        if kind == RECOVERY_POINT {
            return BitReader::new(payload).read_ue("recovery_frame_cnt").ok();
        }
        sei = &sei[size..];
    }
    None
}

/// A number in SEI's coding: a byte 255 for every 255, then the rest.
fn take_sei_number(sei: &mut &[u8]) -> Option<usize> {
    let mut number = 0usize;
    loop {
        let (&byte, rest) = sei.split_first()?;
        *sei = rest;
        number += usize::from(byte);
        if byte != 255 {
            return Some(number);
        }
    }
}

/// The properties in the first sequence parameter set of a configuration, in either framing.
pub(crate) fn sequence(extradata: &[u8]) -> Option<Sequence> {
    let (plain, sps) = parse_set(first_set(extradata)?)?;
    let (width, height) = sps.pixel_dimensions().ok()?;
    let vui = sps.vui_parameters.as_ref();
    let aspect = vui.and_then(|vui| vui.aspect_ratio_info.as_ref()?.get());
    let restrictions = vui.and_then(|vui| vui.bitstream_restrictions.as_ref());
    let [idc, flags, level] = *plain.first_chunk::<3>()?;
    Some(Sequence {
        profile: profile(idc, flags),
        rfc6381: format!("avc1.{idc:02x}{flags:02x}{level:02x}"),
        width,
        height,
        chroma_format: sps.chroma_info.chroma_format.to_u32(),
        bit_depth: u32::from(sps.chroma_info.bit_depth_luma_minus8) + 8,
        sample_aspect: aspect.map(|(width, height)| (u32::from(width), u32::from(height))),
        color: vui
            .and_then(|vui| vui.video_signal_type.as_ref())
            .map(color),
        // With counts in decode order (type 2), pictures are not reordered.
        reorder: match (restrictions, &sps.pic_order_cnt) {
            (Some(restrictions), _) => Some(restrictions.max_num_reorder_frames),
            (None, PicOrderCntType::TypeTwo) => Some(0),
            _ => None,
        },
        // A tick is the time of a field (E.2.1).
        frame_rate: vui
            .and_then(|vui| vui.timing_info.as_ref())
            .and_then(|timing| Some((timing.time_scale, timing.num_units_in_tick.checked_mul(2)?)))
            .filter(|&(frames, seconds)| frames > 0 && seconds > 0),
    })
}

/// libav's number of a profile: constrained (set 1) and intra (set 3) variants have a flag above
/// the standard's number.
fn profile(idc: u8, flags: u8) -> i32 {
    let variant = match idc {
        66 if flags & 0x40 != 0 => 1 << 9,
        110 | 122 | 244 if flags & 0x10 != 0 => 1 << 11,
        _ => 0,
    };
    i32::from(idc) | variant
}

fn color(signal: &VideoSignalType) -> Color {
    let codes = signal.colour_description.as_ref();
    let code = |which: fn(&ColourDescription) -> u8| codes.map_or(Color::UNSPECIFIED, which);
    Color {
        primaries: code(|codes| codes.colour_primaries),
        transfer: code(|codes| codes.transfer_characteristics),
        matrix: code(|codes| codes.matrix_coefficients),
        full_range: signal.video_full_range_flag,
    }
}

/// The kinds of parameter sets, in written order.
pub(super) const SET_KINDS: [u8; 2] = [kind::SPS, kind::PPS];

/// Kind and number of a parameter set, given without escapes; `None` for other units.
pub(super) fn set_key(unit: &[u8]) -> Option<(u8, u32)> {
    match unit.first()? & 0x1f {
        // Profile, flags and level precede the number.
        kind::SPS => Some((kind::SPS, Bits::new(unit.get(4..)?).ue(31)?)),
        kind::PPS => Some((kind::PPS, Bits::new(unit.get(1..)?).ue(255)?)),
        _ => None,
    }
}

/// The parameter sets of a configuration, in either framing.
pub(super) fn sets(configuration: &[u8]) -> Vec<&[u8]> {
    match Framing::from_avcc(configuration) {
        Framing::Lengths(_) => sets_in_record(configuration),
        framing => units(configuration, framing).collect(),
    }
}

/// Sets in a record (avcC): version, profile, compatibility, level, size of lengths; then twice a
/// count and that many sets, each after its length. Damage ends the list.
fn sets_in_record(record: &[u8]) -> Vec<&[u8]> {
    let mut sets = Vec::new();
    let mut rest = record.get(5..).unwrap_or_default();
    for mask in [0x1f, 0xff] {
        let Some((&count, after)) = rest.split_first() else {
            return sets;
        };
        rest = after;
        for _ in 0..count & mask {
            let Some((set, after)) = split_unit(rest, 2) else {
                return sets;
            };
            sets.push(set);
            rest = after;
        }
    }
    sets
}

/// A sequence parameter set, unescaped and parsed.
fn parse_set(set: &[u8]) -> Option<(Vec<u8>, SeqParameterSet)> {
    let plain = unescape(set.get(1..)?, 4096);
    let sps = SeqParameterSet::from_bits(BitReader::new(plain.as_slice())).ok()?;
    Some((plain, sps))
}

fn first_set(extradata: &[u8]) -> Option<&[u8]> {
    sets(extradata)
        .into_iter()
        .find(|set| set.first().is_some_and(|first| first & 0x1f == kind::SPS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(units: &[&[u8]]) -> Vec<u8> {
        units
            .iter()
            .flat_map(|unit| [&[0, 0, 0, 1][..], unit].concat())
            .collect()
    }

    #[test]
    fn pictures_are_classified_by_slice_and_recovery_point() {
        let classify = |units: &[&[u8]]| classify_key(&packet(units), Framing::StartCodes);
        assert_eq!(classify(&[&[0x09, 0x10], &[0x65, 0x88]]), Picture::Idr);
        assert_eq!(classify(&[&[0x41, 0x9a]]), Picture::OpenKey);
        // recovery_frame_cnt 0 is one bit, 1; 6 is 00111.
        assert_eq!(
            classify(&[&[0x06, 6, 1, 0b1100_0000, 0x80], &[0x41, 0x9a]]),
            Picture::OpenKey
        );
        assert_eq!(
            classify(&[&[0x06, 6, 1, 0b0011_1110, 0x80], &[0x41, 0x9a]]),
            Picture::RecoveryPoint
        );
        assert_eq!(
            classify(&[&[0x06, 5, 2, 0xff, 0xff, 6, 1, 0b0011_1110, 0x80], &[0x41]]),
            Picture::RecoveryPoint
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), codes in any::<bool>()) {
            let framing = if codes { Framing::StartCodes } else { Framing::Lengths(4) };
            classify_key(&bytes, framing);
            sequence(&bytes);
            sequence(&[&[0, 0, 1, 0x67], &bytes[..]].concat());
            sequence(&[&[1, 100, 0, 31, 0xff, 0xe1, 0, 200, 0x67], &bytes[..]].concat());
        }
    }
}
