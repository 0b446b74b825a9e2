//! The sequence parameter set of H.265 (7.3.2.2): long, because the colours come last.

use super::bits::Bits;
use super::color::Color;
use super::{Sequence, unescape};

/// Bytes of general profile, tier and level: the same in a parameter set and in the configuration record.
const PROFILE_TIER_LEVEL: usize = 12;

/// The widest and highest picture that is believed.
const LARGEST: u32 = 65_535;

/// What a set says, given with its NAL header.
pub(super) fn parse(set: &[u8]) -> Option<Sequence> {
    let plain = unescape(set.get(2..)?, 4096);
    let (head, mut bits) = head(&plain)?;
    // what follows is only needed for colour and shape: without it, the rest is still right
    let usability = skip_to_usability(&mut bits, head.count_bits)
        .and_then(|()| usability(&mut bits))
        .unwrap_or_default();
    let general = plain.get(1..=PROFILE_TIER_LEVEL)?;
    Some(Sequence {
        profile: i32::from(general[0] & 0x1f),
        rfc6381: super::h265::rfc6381(general),
        width: head.width,
        height: head.height,
        chroma_format: head.chroma_format,
        bit_depth: head.bit_depth,
        sample_aspect: usability.sample_aspect,
        color: usability.color,
        reorder: Some(head.reorder),
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
pub(super) struct General {
    pub(super) profile_tier_level: [u8; PROFILE_TIER_LEVEL],
    /// How many layers of frame rates there are.
    pub(super) sub_layers: u8,
    /// Whether any layer can be left at any time.
    pub(super) nested: bool,
}

/// The beginning of a set, given with its NAL header.
pub(super) fn general(set: &[u8]) -> Option<General> {
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

/// Passes over everything between the picture's size and the usability information.
fn skip_to_usability(bits: &mut Bits<'_>, poc_bits: u32) -> Option<()> {
    bits.skip_golomb(6)?; // block sizes and depths
    if bits.flag()? && bits.flag()? {
        skip_scaling_lists(bits)?;
    }
    bits.number(2)?; // asymmetric partitions, adaptive offset
    if bits.flag()? {
        bits.number(8)?; // raw samples
        bits.skip_golomb(2)?;
        bits.flag()?;
    }
    skip_reference_sets(bits)?;
    if bits.flag()? {
        for _ in 0..bits.golomb(32)? {
            bits.number(poc_bits + 1)?; // long-term references
        }
    }
    bits.number(2).map(drop) // motion from other pictures, smoothing
}

fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4 {
        for _ in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if !bits.flag()? {
                bits.skip_golomb(1)?;
                continue;
            }
            let coefficients = 64.min(1 << (4 + 2 * size)) + i32::from(size > 1);
            (0..coefficients).try_for_each(|_| bits.signed().map(drop))?;
        }
    }
    Some(())
}

/// Short-term reference picture sets (7.3.7): each may be told as a difference to the one before.
fn skip_reference_sets(bits: &mut Bits<'_>) -> Option<()> {
    let mut previous = 0;
    for index in 0..bits.golomb(64)? {
        if index > 0 && bits.flag()? {
            bits.flag()?;
            bits.skip_golomb(1)?;
            let mut kept = 0;
            for _ in 0..=previous {
                kept += u32::from(bits.flag()? || bits.flag()?);
            }
            previous = kept;
        } else {
            let pictures = bits.golomb(16)? + bits.golomb(16)?;
            for _ in 0..pictures {
                bits.skip_golomb(1)?;
                bits.flag()?;
            }
            previous = pictures;
        }
    }
    Some(())
}

#[derive(Default)]
struct Usability {
    sample_aspect: Option<(u32, u32)>,
    color: Option<Color>,
}

/// The beginning of the video usability information (annex E).
fn usability(bits: &mut Bits<'_>) -> Option<Usability> {
    let mut usability = Usability::default();
    if !bits.flag()? {
        return Some(usability);
    }
    if bits.flag()? {
        usability.sample_aspect = match bits.number(8)? {
            255 => Some((bits.number(16)?, bits.number(16)?))
                .filter(|&(width, height)| width > 0 && height > 0),
            code => SAMPLE_ASPECTS
                .get(usize::try_from(code).ok()?.wrapping_sub(1))
                .copied(),
        };
    }
    if bits.flag()? {
        bits.flag()?; // overscan
    }
    if bits.flag()? {
        bits.number(3)?; // PAL, NTSC, ...
        let full_range = bits.flag()?;
        let mut codes = [Color::UNSPECIFIED; 3];
        if bits.flag()? {
            for code in &mut codes {
                *code = u8::try_from(bits.number(8)?).ok()?;
            }
        }
        let [primaries, transfer, matrix] = codes;
        usability.color = Some(Color {
            primaries,
            transfer,
            matrix,
            full_range,
        });
    }
    Some(usability)
}

/// Shapes of a pixel by code, from 1 on (table E.1).
const SAMPLE_ASPECTS: [(u32, u32); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];
