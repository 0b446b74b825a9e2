//! Parses coded pictures without decoding them: kinds of pictures, and parameter sets.
//!
//! ```text
//!   packet ──► units ──► h264, h265 ──► Picture      kind of picture
//!                            │      └─► slice ──► order     presentation order
//!   configuration ──► sets ──┴────────► Sequence     size, colour, frame rate
//! ```
//!
//! Both codecs consist of *NAL units*, in one of two framings: each with its length in front (mp4,
//! Matroska), or each after a start code (MPEG-TS, raw files: "Annex B"). The configuration record
//! determines the [`Framing`]; [`units`] iterates over either. All bytes come from outside: every
//! parser here survives arbitrary bytes.

mod bits;
mod color;
pub(crate) mod h264;
pub(crate) mod h265;
mod order;
mod records;
mod sets;
mod slice;
mod units;

pub(crate) use color::Color;
pub(crate) use h264::FieldReader;
pub(crate) use order::{OrderCount, PictureOrder};
pub(crate) use sets::ParameterSets;
pub(crate) use slice::Field;
pub(crate) use units::{Framing, units};

/// The properties of pictures in a sequence parameter set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// libav's number of the profile, which is the standard's with flags above it.
    pub(crate) profile: i32,
    /// Codec string (RFC 6381).
    pub(crate) rfc6381: String,
    /// Width in pixels, after cropping.
    pub(crate) width: u32,
    /// Height in pixels, after cropping.
    pub(crate) height: u32,
    /// Chroma subsampling, numbered as in both codecs: 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub(crate) chroma_format: u32,
    /// Bits of a luma sample.
    pub(crate) bit_depth: u32,
    /// Sample aspect ratio, width to height, if present.
    pub(crate) sample_aspect: Option<(u32, u32)>,
    /// Colour properties, if present.
    pub(crate) color: Option<Color>,
    /// Pictures that a decoder holds back to reorder them, if present.
    pub(crate) reorder: Option<u32>,
    /// Frame rate, if present and neither part is zero.
    pub(crate) frame_rate: Option<(u32, u32)>,
}

impl Sequence {
    /// Number of colour components.
    pub(crate) fn channels(&self) -> u32 {
        if self.chroma_format == 0 { 1 } else { 3 }
    }

    /// FFmpeg's name for such pixels; `None` for combinations that it has none for.
    pub(crate) fn pixel_format(&self) -> Option<String> {
        // Identity: the components are green, blue and red themselves (ISO/IEC 23091-2).
        let layout = match (self.chroma_format, self.color.as_ref()) {
            (3, Some(color)) if color.matrix == 0 => "gbrp",
            (format, _) => *["gray", "yuv420p", "yuv422p", "yuv444p"].get(format as usize)?,
        };
        match self.bit_depth {
            8 => Some(layout.to_owned()),
            depth @ 9..=16 => Some(format!("{layout}{depth}le")),
            _ => None,
        }
    }
}

/// The first bytes of a NAL unit, without emulation prevention bytes (00 00 **03**).
fn unescape(unit: &[u8], limit: usize) -> Vec<u8> {
    let mut plain = Vec::with_capacity(limit.min(unit.len()));
    let mut zeros = 0;
    for &byte in unit {
        if plain.len() == limit {
            break;
        }
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}
