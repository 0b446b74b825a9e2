//! The sequence parameter set of H.265 (7.3.2.2): long, because the colours come last.

use super::usability;
use crate::bitstream::bits::Bits;
use crate::bitstream::{Sequence, unescape};

/// Bytes of general profile, tier and level: the same in a parameter set and in the configuration record.
const PROFILE_TIER_LEVEL: usize = 12;

/// The widest and highest picture that is believed.
const LARGEST: u32 = 65_535;

/// What a set says, given with its NAL header.
pub(in crate::bitstream) fn parse(set: &[u8]) -> Option<Sequence> {
    let plain = unescape(set.get(2..)?, 4096);
    let (head, mut bits) = head(&plain)?;
    // what follows is only needed for colour and shape: without it, the rest is still right
    let usability = usability::read(&mut bits, head.count_bits).unwrap_or_default();
    let general = plain.get(1..=PROFILE_TIER_LEVEL)?;
    Some(Sequence {
        profile: i32::from(general[0] & 0x1f),
        rfc6381: super::rfc6381(general),
        width: head.width,
        height: head.height,
        chroma_format: head.chroma_format,
        bit_depth: head.bit_depth,
        sample_aspect: usability.sample_aspect,
        color: usability.color,
        reorder: Some(head.reorder),
        frame_rate: usability.frame_rate,
    })
}

/// Bits of the picture order count in slices, and whether colour planes are coded apart.
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

/// Reads the first part of a set, given without header and escapes; what follows it is left.
fn head(plain: &[u8]) -> Option<(Head, Bits<'_>)> {
    let sub_layers = usize::from(plain.first()? >> 1 & 7);
    let mut bits =
        Bits::new(plain.get(1 + PROFILE_TIER_LEVEL + sub_layer_profiles(plain, sub_layers)?..)?);
    bits.golomb(15)?; // its number
    let chroma_format = bits.golomb(3)?;
    let separate_planes = chroma_format == 3 && bits.flag()?;
    let (width, height) = size(&mut bits, chroma_format)?;
    let bit_depth = bits.golomb(8)? + 8;
    bits.golomb(8)?; // chroma
    let count_bits = bits.golomb(12)? + 4;
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

/// What the configuration record repeats of a set.
pub(in crate::bitstream) struct General {
    pub(in crate::bitstream) profile_tier_level: [u8; PROFILE_TIER_LEVEL],
    /// How many layers of frame rates there are.
    pub(in crate::bitstream) sub_layers: u8,
    /// Whether any layer can be left at any time.
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
    let plain = plain.get(2..)?;
    let sub_layers = usize::from(plain.first()? >> 1 & 7);
    Bits::new(plain.get(1 + PROFILE_TIER_LEVEL + sub_layer_profiles(plain, sub_layers)?..)?)
        .golomb(15)
}

/// The length of the profiles of sub-layers in bytes: two flags for each of eight, then what the flags announce.
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
    let (width, height) = (bits.golomb(LARGEST)?, bits.golomb(LARGEST)?);
    if !bits.flag()? {
        return Some((width, height));
    }
    let mut edge = || bits.golomb(LARGEST);
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

/// How many pictures a decoder holds back at most to put them in order.
fn reorder(bits: &mut Bits<'_>, sub_layers: usize) -> Option<u32> {
    let layers = if bits.flag()? { sub_layers + 1 } else { 1 };
    let mut reorder = 0;
    for _ in 0..layers {
        bits.golomb(16)?; // decoded picture buffer
        reorder = bits.golomb(16)?;
        bits.skip_golomb(1)?; // latency
    }
    Some(reorder)
}
