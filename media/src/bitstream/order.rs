//! The order in which pictures are shown, from the numbers that their slices carry.
//!
//! Raw files and AVI give no time of showing. The bitstream gives a count instead (the picture order count, POC): its low
//! bits are in every slice, and the high bits follow from the picture before, since a step is never larger than half the
//! range (H.264 8.2.1.1, H.265 8.3.1).

use super::{Framing, h264, h265, units};
use crate::video::Codec;

/// What slices must be read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbering {
    /// Bits of the frame number (H.264).
    pub(super) frame_bits: u32,
    /// Bits of the low part of the count; `None` where pictures are not counted so.
    pub(super) count_bits: Option<u32>,
    /// Whether a picture may be a field (H.264).
    pub(super) may_be_field: bool,
    /// Whether colour planes are coded apart.
    pub(super) separate_planes: bool,
    /// Extra bits in front of a slice's type (H.265).
    pub(super) extra_bits: u32,
    /// Whether a slice says if its picture is shown (H.265).
    pub(super) says_shown: bool,
}

/// What the first slice of a picture says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    /// Low bits of the count.
    pub(super) count: u32,
    /// The count starts again here.
    pub(super) restarts: bool,
    /// Later pictures take their high bits from this one.
    pub(super) is_reference: bool,
}

/// Follows the count from picture to picture.
#[derive(Clone, Debug)]
pub(crate) struct PictureOrder {
    h265: bool,
    framing: Framing,
    numbering: Numbering,
    /// High and low part of the reference picture before.
    previous: (i64, i64),
}

/// The place of a picture in the order of showing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its count; only differences within one numbering mean something.
    pub(crate) count: i64,
    /// The first of a new numbering.
    pub(crate) restarts: bool,
}

impl PictureOrder {
    /// For packets with this configuration; `None` where it does not tell how pictures are counted.
    pub(crate) fn new(codec: Codec, configuration: &[u8]) -> Option<PictureOrder> {
        let (h265, framing, numbering) = match codec {
            Codec::H264 => (
                false,
                Framing::of_h264(configuration),
                h264::numbering(configuration)?,
            ),
            Codec::H265 => (
                true,
                Framing::of_h265(configuration),
                h265::numbering(configuration)?,
            ),
            _ => return None,
        };
        numbering.count_bits?;
        Some(PictureOrder {
            h265,
            framing,
            numbering,
            previous: (0, 0),
        })
    }

    /// The place of the picture in a packet; `None` if it cannot be read.
    pub(crate) fn place(&mut self, packet: &[u8]) -> Option<Place> {
        let read = if self.h265 { h265::slice } else { h264::slice };
        let slice = units(packet, self.framing).find_map(|unit| read(unit, &self.numbering))?;
        let range = 1i64 << self.numbering.count_bits?;
        let low = i64::from(slice.count);
        let (previous_high, previous_low) = if slice.restarts {
            (0, 0)
        } else {
            self.previous
        };
        let high = if slice.restarts {
            0
        } else if low < previous_low && previous_low - low >= range / 2 {
            previous_high + range
        } else if low > previous_low && low - previous_low > range / 2 {
            previous_high - range
        } else {
            previous_high
        };
        if slice.is_reference || slice.restarts {
            self.previous = (high, low);
        }
        Some(Place {
            count: high + low,
            restarts: slice.restarts,
        })
    }
}
