//! Reading coded pictures without decoding them: what kind a picture is, and what the parameter sets say.
//!
//! Both codecs come as *NAL units*, in one of two framings: each with its length in front (mp4, Matroska), or each after
//! a start code (MPEG-TS, raw files: "Annex B"). [`Framing`] tells them apart by the configuration record; [`units`]
//! walks either. Everything here takes bytes from outside and must survive whatever they are.

mod bits;
mod color;
pub(crate) mod h264;
pub(crate) mod h265;
mod order;
mod records;
mod sets;
mod units;

pub(crate) use color::Color;
pub(crate) use h264::{Field, FieldReader};
pub(crate) use order::{PictureOrder, Place};
pub(crate) use sets::ParameterSets;
pub(crate) use units::{Framing, units};

/// What the parameter sets say about the pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// The profile by libav's number, which is the standard's with flags above it.
    pub(crate) profile: i32,
    /// What a browser is asked about.
    pub(crate) rfc6381: String,
    /// Width in pixels, after cropping.
    pub(crate) width: u32,
    /// Height in pixels, after cropping.
    pub(crate) height: u32,
    /// Chroma subsampling as both codecs number it: 0 grey, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub(crate) chroma_format: u32,
    /// Bits of a luma sample.
    pub(crate) bit_depth: u32,
    /// Shape of a pixel, width to height, if it is said.
    pub(crate) sample_aspect: Option<(u32, u32)>,
    /// What the numbers mean, if it is said.
    pub(crate) color: Option<Color>,
    /// How many pictures a decoder holds back to put them in order, if it is said.
    pub(crate) reorder: Option<u32>,
    /// Frames in so many seconds, if it is said and neither is zero.
    pub(crate) frame_rate: Option<(u32, u32)>,
}

impl Sequence {
    /// Number of colour components.
    pub(crate) fn channels(&self) -> u32 {
        if self.chroma_format == 0 { 1 } else { 3 }
    }

    /// FFmpeg's name for such pixels; `None` for combinations that it has none for.
    pub(crate) fn pixel_format(&self) -> Option<String> {
        // identity: the components are green, blue and red themselves (ISO/IEC 23091-2)
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

/// The first bytes of a NAL unit as its writer meant them, without the bytes that keep start codes out (00 00 **03**).
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
