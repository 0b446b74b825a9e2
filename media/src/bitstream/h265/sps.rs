//! The sequence parameter set of H.265 (7.3.2.2), including the colour properties at its end.
//!
//! `scuffle-h265` 0.2.2 parses these sets too, but panics on some damaged ones (2.7 % of 100,000
//! with two flipped bits in debug builds, 0.04 % in release), and rejects a set without its end,
//! whose size is still right.

use super::vui;
use crate::bitstream::bits::Bits;
use crate::bitstream::{Sequence, unescape};

/// Bytes of general profile, tier and level: the same in a parameter set and in the configuration
/// record.
const PROFILE_TIER_LEVEL: usize = 12;

/// The largest plausible width and height.
const LARGEST: u32 = 65_535;

/// The properties in a set, given with its NAL header.
pub(in crate::bitstream) fn parse(set: &[u8]) -> Option<Sequence> {
    let plain = unescape(set.get(2..)?, 4096);
    let (head, mut bits) = head(&plain)?;
    // The rest is only needed for colour, shape and frame rate: without it, the head is still
    // right.
    let vui = vui::read(&mut bits, head.count_bits).unwrap_or_default();
    let general = plain.get(1..=PROFILE_TIER_LEVEL)?;
    Some(Sequence {
        profile: i32::from(general[0] & 0x1f),
        rfc6381: super::rfc6381(general),
        width: head.width,
        height: head.height,
        chroma_format: head.chroma_format,
        bit_depth: head.bit_depth,
        sample_aspect: vui.sample_aspect,
        color: vui.color,
        reorder: Some(head.reorder),
        frame_rate: vui.frame_rate,
    })
}

/// Bits of the picture order count in slices, and the flag for separate colour planes.
pub(super) fn count_bits(set: &[u8]) -> Option<(u32, bool)> {
    let plain = unescape(set.get(2..)?, 4096);
    let (head, _) = head(&plain)?;
    Some((head.count_bits, head.separate_planes))
}

/// The first part of a set.
struct Head {
    width: u32,
    height: u32,
    chroma_format: u32,
    separate_planes: bool,
    bit_depth: u32,
    count_bits: u32,
    reorder: u32,
}

/// Reads the first part of a set, given without header and escapes; the bits after it are left.
fn head(plain: &[u8]) -> Option<(Head, Bits<'_>)> {
    let (sub_layers, mut bits) = after_profiles(plain)?;
    bits.ue(15)?; // Its number.
    let chroma_format = bits.ue(3)?;
    let separate_planes = chroma_format == 3 && bits.bit()?;
    let (width, height) = size(&mut bits, chroma_format)?;
    let bit_depth = bits.ue(8)? + 8;
    bits.ue(8)?; // Chroma.
    let count_bits = bits.ue(12)? + 4;
    let reorder = reorder(&mut bits, sub_layers)?;
    Some((
        Head {
            width,
            height,
            chroma_format,
            separate_planes,
            bit_depth,
            count_bits,
            reorder,
        },
        bits,
    ))
}

/// The fields of a set that the configuration record repeats.
pub(in crate::bitstream) struct General {
    pub(in crate::bitstream) profile_tier_level: [u8; PROFILE_TIER_LEVEL],
    /// Number of layers of frame rates.
    pub(in crate::bitstream) sub_layers: u8,
    /// True if decoding can switch between layers at any picture.
    pub(in crate::bitstream) nested: bool,
}

/// The beginning of a set, given with its NAL header.
pub(in crate::bitstream) fn general(set: &[u8]) -> Option<General> {
    let plain = unescape(set.get(2..)?, 1 + PROFILE_TIER_LEVEL);
    let (first, rest) = plain.split_first()?;
    Some(General {
        profile_tier_level: *rest.first_chunk()?,
        sub_layers: (first >> 1 & 7) + 1,
        nested: first & 1 == 1,
    })
}

/// The number of a set, given with its NAL header and without escapes.
pub(super) fn number(plain: &[u8]) -> Option<u32> {
    after_profiles(plain.get(2..)?)?.1.ue(15)
}

/// The number of sub-layers, and the bits after the profiles.
fn after_profiles(plain: &[u8]) -> Option<(usize, Bits<'_>)> {
    let sub_layers = usize::from(plain.first()? >> 1 & 7);
    let profiles = PROFILE_TIER_LEVEL + sub_layer_profiles(plain, sub_layers)?;
    Some((sub_layers, Bits::new(plain.get(1 + profiles..)?)))
}

/// The length of the profiles of sub-layers in bytes: two flags for each of eight, then the
/// profiles and levels that the flags announce.
fn sub_layer_profiles(plain: &[u8], sub_layers: usize) -> Option<usize> {
    if sub_layers == 0 {
        return Some(0);
    }
    let at = 1 + PROFILE_TIER_LEVEL;
    let flags = u16::from_be_bytes([*plain.get(at)?, *plain.get(at + 1)?]);
    let layer = |layer: usize| {
        let flags = flags >> (14 - 2 * layer) & 3;
        usize::from(flags >> 1) * 11 + usize::from(flags & 1)
    };
    Some(2 + (0..sub_layers.min(7)).map(layer).sum::<usize>())
}

/// Width and height after cropping.
fn size(bits: &mut Bits<'_>, chroma_format: u32) -> Option<(u32, u32)> {
    let (width, height) = (bits.ue(LARGEST)?, bits.ue(LARGEST)?);
    if !bits.bit()? {
        return Some((width, height));
    }
    let mut edge = || bits.ue(LARGEST);
    let (across, down) = (edge()? + edge()?, edge()? + edge()?);
    let (unit_x, unit_y) = match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    Some((
        width.checked_sub(across * unit_x)?,
        height.checked_sub(down * unit_y)?,
    ))
}

/// Most pictures that a decoder holds back to reorder them.
fn reorder(bits: &mut Bits<'_>, sub_layers: usize) -> Option<u32> {
    let layers = if bits.bit()? { sub_layers + 1 } else { 1 };
    let mut reorder = 0;
    for _ in 0..layers {
        bits.ue(16)?; // Decoded picture buffer.
        reorder = bits.ue(16)?;
        bits.skip_ue(1)?; // Latency.
    }
    Some(reorder)
}
