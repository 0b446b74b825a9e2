//! The video usability information (VUI) of H.265: shape of a pixel, colours and frame rate (annex
//! E).

use crate::bitstream::Color;
use crate::bitstream::bits::Bits;

/// Reads the VUI, from the end of the picture's size and depths; `None` if the set ends before it.
pub(super) fn read(bits: &mut Bits<'_>, count_bits: u32) -> Option<Vui> {
    skip_to_vui(bits, count_bits)?;
    vui(bits)
}

/// Skips the fields between the picture's size and the VUI.
fn skip_to_vui(bits: &mut Bits<'_>, poc_bits: u32) -> Option<()> {
    bits.skip_ue(6)?; // Block sizes and depths.
    if bits.bit()? && bits.bit()? {
        skip_scaling_lists(bits)?;
    }
    bits.u(2)?; // Asymmetric partitions, adaptive offset.
    if bits.bit()? {
        bits.u(8)?; // Raw samples.
        bits.skip_ue(2)?;
        bits.bit()?;
    }
    skip_reference_sets(bits)?;
    if bits.bit()? {
        for _ in 0..bits.ue(32)? {
            bits.u(poc_bits + 1)?; // Long-term references.
        }
    }
    bits.u(2).map(drop) // Motion from other pictures, smoothing.
}

fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4 {
        for _ in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if !bits.bit()? {
                bits.skip_ue(1)?;
                continue;
            }
            let coefficients = 64.min(1 << (4 + 2 * size)) + i32::from(size > 1);
            (0..coefficients).try_for_each(|_| bits.se().map(drop))?;
        }
    }
    Some(())
}

/// Skips short-term reference picture sets (7.3.7): each may be coded as a difference to the
/// previous one.
fn skip_reference_sets(bits: &mut Bits<'_>) -> Option<()> {
    let mut previous = 0;
    for index in 0..bits.ue(64)? {
        if index > 0 && bits.bit()? {
            bits.bit()?;
            bits.skip_ue(1)?;
            let mut kept = 0;
            for _ in 0..=previous {
                kept += u32::from(bits.bit()? || bits.bit()?);
            }
            previous = kept;
        } else {
            let pictures = bits.ue(16)? + bits.ue(16)?;
            for _ in 0..pictures {
                bits.skip_ue(1)?;
                bits.bit()?;
            }
            previous = pictures;
        }
    }
    Some(())
}

/// Properties for the presentation of pictures.
#[derive(Default)]
pub(super) struct Vui {
    pub(super) sample_aspect: Option<(u32, u32)>,
    pub(super) color: Option<Color>,
    pub(super) frame_rate: Option<(u32, u32)>,
}

/// Reads the beginning of the VUI (annex E).
fn vui(bits: &mut Bits<'_>) -> Option<Vui> {
    let mut vui = Vui::default();
    if !bits.bit()? {
        return Some(vui);
    }
    if bits.bit()? {
        vui.sample_aspect = match bits.u(8)? {
            255 => {
                Some((bits.u(16)?, bits.u(16)?)).filter(|&(width, height)| width > 0 && height > 0)
            }
            code => SAMPLE_ASPECTS
                .get(usize::try_from(code).ok()?.wrapping_sub(1))
                .copied(),
        };
    }
    if bits.bit()? {
        bits.bit()?; // Overscan.
    }
    if bits.bit()? {
        bits.u(3)?; // PAL, NTSC, ...
        let full_range = bits.bit()?;
        let mut codes = [Color::UNSPECIFIED; 3];
        if bits.bit()? {
            for code in &mut codes {
                *code = u8::try_from(bits.u(8)?).ok()?;
            }
        }
        let [primaries, transfer, matrix] = codes;
        vui.color = Some(Color {
            primaries,
            transfer,
            matrix,
            full_range,
        });
    }
    // The properties of pixels are valid even if the set ends here.
    vui.frame_rate = frame_rate(bits);
    Some(vui)
}

/// The frame rate, after the colours: a tick is a picture here.
fn frame_rate(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    if bits.bit()? {
        bits.skip_ue(2)?; // Positions of chroma samples.
    }
    bits.u(3)?; // Neutral chroma, field pictures, field timing.
    if bits.bit()? {
        bits.skip_ue(4)?; // Display window.
    }
    if !bits.bit()? {
        return None;
    }
    let (seconds, frames) = (bits.u(32)?, bits.u(32)?);
    (frames > 0 && seconds > 0).then_some((frames, seconds))
}

/// Sample aspect ratios by code, from 1 on (table E.1).
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
