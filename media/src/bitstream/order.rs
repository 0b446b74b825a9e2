//! Presentation order from the picture order counts (POC) in slices.
//!
//! Raw files and AVI have no presentation times. The bitstream has a count instead: its low bits
//! are in every slice, and the high bits follow from the previous picture, since a step is never
//! larger than half the range (H.264 8.2.1.1, H.265 8.3.1).

use super::slice::{Slice, SliceFormat};
use super::{Framing, h264, h265, units};
use crate::video::Codec;

/// Follows the count from picture to picture.
#[derive(Clone, Debug)]
pub(crate) struct PictureOrder {
    read: fn(&[u8], &SliceFormat) -> Option<Slice>,
    framing: Framing,
    format: SliceFormat,
    /// High and low part of the previous reference picture.
    previous: (i64, i64),
}

/// A picture's count, whose order is the presentation order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderCount {
    /// Only differences between restarts are meaningful.
    pub(crate) value: i64,
    /// True if the count starts again here.
    pub(crate) restarts: bool,
}

impl PictureOrder {
    /// For packets with this configuration; `None` if slices carry no count.
    pub(crate) fn new(codec: Codec, configuration: &[u8]) -> Option<PictureOrder> {
        let (framing, format) = match codec {
            Codec::H264 => (
                Framing::from_avcc(configuration),
                h264::slice_format(configuration)?,
            ),
            Codec::H265 => (
                Framing::from_hvcc(configuration),
                h265::slice_format(configuration)?,
            ),
            _ => return None,
        };
        format.count_bits?;
        Some(PictureOrder {
            read: if codec == Codec::H265 {
                h265::slice
            } else {
                h264::slice
            },
            framing,
            format,
            previous: (0, 0),
        })
    }

    /// The count of the picture in a packet; `None` if it cannot be read.
    pub(crate) fn count(&mut self, packet: &[u8]) -> Option<OrderCount> {
        let (slice, low) = units(packet, self.framing).find_map(|unit| {
            let slice = (self.read)(unit, &self.format)?;
            Some((slice, i64::from(slice.count?)))
        })?;
        let range = 1i64 << self.format.count_bits?;
        let (previous_high, previous_low) = self.previous;
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
        Some(OrderCount {
            value: high + low,
            restarts: slice.restarts,
        })
    }
}
