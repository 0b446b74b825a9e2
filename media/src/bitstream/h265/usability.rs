//! What a sequence parameter set of H.265 says last: the shape of a pixel, its colours and the frame rate (annex E).

use crate::bitstream::Color;
use crate::bitstream::bits::Bits;

/// The shape of a pixel, its colours and the frame rate, from where the picture's size and depths have been read; `None` if the set ends
/// before.
pub(super) fn read(bits: &mut Bits<'_>, count_bits: u32) -> Option<Usability> {
    skip_to_usability(bits, count_bits)?;
    usability(bits)
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

/// What is said of how to show the pictures.
#[derive(Default)]
pub(super) struct Usability {
    pub(super) sample_aspect: Option<(u32, u32)>,
    pub(super) color: Option<Color>,
    pub(super) frame_rate: Option<(u32, u32)>,
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
    // a set that ends here has still said what its pixels are
    usability.frame_rate = frame_rate(bits);
    Some(usability)
}

/// How long a tick lasts, which is a picture here, from where colours have been read.
fn frame_rate(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    if bits.flag()? {
        bits.skip_golomb(2)?; // where chroma samples lie
    }
    bits.number(3)?; // neutral chroma, pictures are fields, timing of fields
    if bits.flag()? {
        bits.skip_golomb(4)?; // what of the picture to show
    }
    if !bits.flag()? {
        return None;
    }
    let (seconds, frames) = (bits.number(32)?, bits.number(32)?);
    (frames > 0 && seconds > 0).then_some((frames, seconds))
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
