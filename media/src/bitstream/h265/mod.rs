//! H.265 (ITU-T H.265, 7.3; configuration record in ISO/IEC 14496-15, 8.3).

pub(super) mod sps;
mod vui;

use std::fmt::Write;

use super::bits::Bits;
use super::slice::{Slice, SliceFormat};
use super::units::split_unit;
use super::{Framing, Sequence, unescape, units};
use crate::cutter::Picture;

/// NAL unit types, table 7-1.
mod kind {
    pub(super) const RADL_N: u8 = 6;
    pub(super) const RADL_R: u8 = 7;
    pub(super) const RASL_R: u8 = 9;
    pub(super) const BLA_W_LP: u8 = 16;
    pub(super) const IDR_W_RADL: u8 = 19;
    pub(super) const IDR_N_LP: u8 = 20;
    pub(super) const CRA: u8 = 21;
    pub(super) const LAST_IRAP: u8 = 23;
    pub(super) const LAST_VCL: u8 = 31;
    pub(super) const VPS: u8 = 32;
    pub(super) const SPS: u8 = 33;
    pub(super) const PPS: u8 = 34;
}

fn unit_kind(unit: &[u8]) -> u8 {
    unit[0] >> 1 & 0x3f
}

/// The kind of picture in a packet; `key` if the demuxer calls it a key frame.
pub(crate) fn classify(packet: &[u8], framing: Framing, key: bool) -> Picture {
    match units(packet, framing)
        .map(unit_kind)
        .find(|&kind| kind <= kind::LAST_VCL)
    {
        Some(kind::BLA_W_LP..=kind::IDR_N_LP) => Picture::Idr,
        Some(kind::CRA) => Picture::OpenKey,
        Some(kind::RADL_N | kind::RADL_R) => Picture::DecodableLeading,
        _ if key => Picture::RecoveryPoint,
        _ => Picture::Dependent,
    }
}

/// The kinds of parameter sets, in written order: video, sequence, picture.
pub(super) const SET_KINDS: [u8; 3] = [kind::VPS, kind::SPS, kind::PPS];

/// The kind of a sequence parameter set.
pub(super) const SEQUENCE_SET: u8 = kind::SPS;

/// The properties in the first sequence parameter set of a configuration, in either framing.
pub(crate) fn sequence(extradata: &[u8]) -> Option<Sequence> {
    sps::parse(
        sets(extradata)
            .into_iter()
            .find(|set| !set.is_empty() && unit_kind(set) == kind::SPS)?,
    )
}

/// The format of slices under the first parameter sets of a configuration.
pub(super) fn slice_format(configuration: &[u8]) -> Option<SliceFormat> {
    let sets = sets(configuration);
    let of_kind = |kind: u8| {
        sets.iter()
            .find(|set| set.len() > 2 && unit_kind(set) == kind)
    };
    let (count_bits, separate_planes) = sps::count_bits(of_kind(kind::SPS)?)?;
    let plain = unescape(&of_kind(kind::PPS)?[2..], 32);
    let mut picture = Bits::new(&plain);
    picture.skip_ue(2)?; // Its number, and that of the sequence's.
    picture.bit()?; // Dependent slices.
    let has_output_flag = picture.bit()?;
    let extra_bits = picture.u(3)?;
    Some(SliceFormat {
        frame_bits: 0,
        count_bits: Some(count_bits),
        may_be_field: false,
        separate_planes,
        extra_bits,
        has_output_flag,
    })
}

/// The first fields of a slice header (7.3.6); `None` for other units.
pub(super) fn slice(unit: &[u8], format: &SliceFormat) -> Option<Slice> {
    let kind = unit_kind(unit.get(..2)?);
    if kind > kind::LAST_VCL {
        return None;
    }
    let plain = unescape(&unit[2..], 32);
    let mut bits = Bits::new(&plain);
    if !bits.bit()? {
        return None; // Not the picture's first slice.
    }
    if (kind::BLA_W_LP..=kind::LAST_IRAP).contains(&kind) {
        bits.bit()?;
    }
    bits.skip_ue(1)?;
    bits.u(format.extra_bits)?;
    bits.skip_ue(1)?; // Type.
    if format.has_output_flag {
        bits.bit()?;
    }
    if format.separate_planes {
        bits.u(2)?;
    }
    let restarts = (kind::IDR_W_RADL..=kind::IDR_N_LP).contains(&kind);
    let count = if restarts {
        0
    } else {
        bits.u(format.count_bits?)?
    };
    // Leading pictures, those of higher layers and unreferenced ones do not continue the count.
    let is_leading = (kind::RADL_N..=kind::RASL_R).contains(&kind);
    let is_unused = kind < kind::BLA_W_LP - 1 && kind.is_multiple_of(2);
    let is_reference = !is_leading && !is_unused && unit[1] & 7 == 1;
    Some(Slice {
        count: Some(count),
        restarts,
        is_reference,
        field: None,
    })
}

/// Kind and number of a parameter set, given without escapes; `None` for other units.
pub(super) fn set_key(unit: &[u8]) -> Option<(u8, u32)> {
    let number = match unit_kind(unit.get(..2)?) {
        kind::VPS => u32::from(unit.get(2)? >> 4),
        kind::SPS => sps::number(unit)?,
        kind::PPS => Bits::new(unit.get(2..)?).ue(63)?,
        _ => return None,
    };
    Some((unit_kind(unit), number))
}

/// The parameter sets of a configuration, in either framing.
pub(super) fn sets(configuration: &[u8]) -> Vec<&[u8]> {
    match Framing::from_hvcc(configuration) {
        Framing::Lengths(_) => sets_in_record(configuration),
        framing => units(configuration, framing).collect(),
    }
}

/// Sets in a record (hvcC): 22 bytes, then an array of sets per kind. Damage ends the list.
fn sets_in_record(record: &[u8]) -> Vec<&[u8]> {
    let mut sets = Vec::new();
    let Some((&arrays, mut rest)) = record.get(22..).and_then(|rest| rest.split_first()) else {
        return sets;
    };
    for _ in 0..arrays {
        let Some((&[_, high, low], after)) = rest.split_first_chunk::<3>() else {
            return sets;
        };
        rest = after;
        for _ in 0..u16::from_be_bytes([high, low]) {
            let Some((set, after)) = split_unit(rest, 2) else {
                return sets;
            };
            sets.push(set);
            rest = after;
        }
    }
    sets
}

/// `hvc1.A1.6.L93.B0`: profile, reversed compatibility flags, tier and level, constraints without
/// trailing zeros (ISO/IEC 14496-15, annex E.3).
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
        // Writing to a string cannot fail.
        let _ = write!(text, ".{byte:X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_codec_string_of_the_main_profile_is_known() {
        let main = [0x01, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93];
        assert_eq!(rfc6381(&main), "hvc1.1.6.L93.B0");
    }

    #[test]
    fn a_picture_is_classified_by_its_first_slice() {
        let classify = |kind: u8| {
            let packet = [0, 0, 1, 35 << 1, 1, 0x50, 0, 0, 1, kind << 1, 1, 0xaf];
            super::classify(&packet, Framing::StartCodes, true)
        };
        assert_eq!([16, 19, 20].map(classify), [Picture::Idr; 3]);
        assert_eq!(classify(21), Picture::OpenKey);
        assert_eq!([6, 7].map(classify), [Picture::DecodableLeading; 2]);
        assert_eq!(classify(1), Picture::RecoveryPoint);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            classify(&bytes, Framing::StartCodes, true);
            sequence(&bytes);
            sequence(&[&[0, 0, 1, 66, 1], &bytes[..]].concat());
            sequence(&[&[1; 22][..], &[1, 33, 0, 1, 0, 200], &bytes].concat());
        }
    }
}
