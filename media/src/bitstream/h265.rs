//! H.265 (ITU-T H.265, 7.3; configuration record in ISO/IEC 14496-15, 8.3).

use std::fmt::Write;

use h264_reader::rbsp::{BitRead, BitReader};

use super::{Framing, Sequence, unescape, units};
use crate::cutter::Picture;

/// NAL unit types, table 7-1.
mod kind {
    pub(super) const BLA_W_LP: u8 = 16;
    pub(super) const IDR_N_LP: u8 = 20;
    pub(super) const CRA: u8 = 21;
    pub(super) const LAST_VCL: u8 = 31;
    pub(super) const SPS: u8 = 33;
}

/// Bytes of general profile, tier and level: the same in a parameter set and in the configuration record.
const PROFILE_TIER_LEVEL: usize = 12;

fn unit_kind(unit: &[u8]) -> u8 {
    unit[0] >> 1 & 0x3f
}

/// What kind of picture a packet is that the demuxer calls a key frame.
pub(crate) fn classify_key(packet: &[u8], framing: Framing) -> Picture {
    match units(packet, framing)
        .map(unit_kind)
        .find(|&kind| kind <= kind::LAST_VCL)
    {
        Some(kind::BLA_W_LP..=kind::IDR_N_LP) => Picture::Idr,
        Some(kind::CRA) => Picture::OpenKey,
        _ => Picture::RecoveryPoint,
    }
}

/// What a configuration says, in either framing.
pub(crate) fn sequence(extradata: &[u8]) -> Option<Sequence> {
    match Framing::of_h265(extradata) {
        Framing::Lengths(_) => Some(Sequence {
            rfc6381: rfc6381(extradata.get(1..=PROFILE_TIER_LEVEL)?),
            chroma_format: u32::from(extradata.get(16)? & 3),
            bit_depth: u32::from(extradata.get(17)? & 7) + 8,
        }),
        framing => {
            sequence_of_set(units(extradata, framing).find(|unit| unit_kind(unit) == kind::SPS)?)
        }
    }
}

/// The same from a sequence parameter set.
fn sequence_of_set(set: &[u8]) -> Option<Sequence> {
    let plain = unescape(set.get(2..)?, 256);
    let sub_layers = usize::from(plain.first()? >> 1 & 7);
    // profile, tier and level of sub-layers: two flags for each of eight, then what the flags announce
    let mut at = 1 + PROFILE_TIER_LEVEL;
    if sub_layers > 0 {
        let flags = [*plain.get(at)?, *plain.get(at + 1)?];
        let flags = u16::from_be_bytes(flags);
        at += 2;
        for layer in 0..sub_layers {
            let flags = flags >> (14 - 2 * layer) & 3;
            at += if flags & 2 != 0 { 11 } else { 0 } + usize::from(flags & 1);
        }
    }
    let mut bits = BitReader::new(plain.get(at..)?);
    bits.read_ue("sps_seq_parameter_set_id").ok()?;
    let chroma_format = bits.read_ue("chroma_format_idc").ok()?;
    if chroma_format == 3 {
        bits.read_bit("separate_colour_plane_flag").ok()?;
    }
    bits.read_ue("pic_width_in_luma_samples").ok()?;
    bits.read_ue("pic_height_in_luma_samples").ok()?;
    if bits.read_bit("conformance_window_flag").ok()? {
        for edge in ["left", "right", "top", "bottom"] {
            bits.read_ue(edge).ok()?;
        }
    }
    let bit_depth = bits.read_ue("bit_depth_luma_minus8").ok()?.checked_add(8)?;
    Some(Sequence {
        rfc6381: rfc6381(plain.get(1..=PROFILE_TIER_LEVEL)?),
        chroma_format,
        bit_depth,
    })
}

/// `hvc1.A1.6.L93.B0`: profile, reversed compatibility flags, tier and level, constraints without trailing zeros
/// (ISO/IEC 14496-15, annex E.3).
fn rfc6381(profile_tier_level: &[u8]) -> String {
    let [first, c0, c1, c2, c3, constraints @ .., level] = profile_tier_level else {
        return String::new();
    };
    let space = ["", "A", "B", "C"][usize::from(first >> 6)];
    let tier = if first >> 5 & 1 == 1 { 'H' } else { 'L' };
    let compatibility = u32::from_be_bytes([*c0, *c1, *c2, *c3]).reverse_bits();
    let mut text = format!(
        "hvc1.{space}{}.{compatibility:X}.{tier}{level}",
        first & 0x1f
    );
    let used = constraints
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    for byte in &constraints[..used] {
        // writing to a string cannot fail
        let _ = write!(text, ".{byte:X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_codec_string_of_the_main_profile_is_the_one_in_every_example() {
        let main = [0x01, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93];
        assert_eq!(rfc6381(&main), "hvc1.1.6.L93.B0");
    }

    #[test]
    fn a_picture_is_what_its_first_slice_is() {
        let classify = |kind: u8| {
            let packet = [0, 0, 1, 35 << 1, 1, 0x50, 0, 0, 1, kind << 1, 1, 0xaf];
            classify_key(&packet, Framing::StartCodes)
        };
        assert_eq!([16, 19, 20].map(classify), [Picture::Idr; 3]);
        assert_eq!(classify(21), Picture::OpenKey);
        assert_eq!(classify(1), Picture::RecoveryPoint);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            classify_key(&bytes, Framing::StartCodes);
            sequence(&bytes);
            sequence(&[&[0, 0, 1, 66, 1], &bytes[..]].concat());
        }
    }
}
