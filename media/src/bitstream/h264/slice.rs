//! Slice headers of H.264 (7.3.3), and pictures that come as two fields in a packet each.
//!
//! `h264_reader` can parse slice headers too. It needs the picture parameter set of each slice, and
//! fails on a header that is damaged after the fields that matter here.

use h264_reader::nal::sps::{FrameMbsFlags, PicOrderCntType};

use super::{first_set, kind, parse_set};
use crate::bitstream::bits::Bits;
use crate::bitstream::slice::{Field, Slice, SliceFormat};
use crate::bitstream::{Framing, unescape, units};

/// The format of slices under the first sequence parameter set of a configuration.
pub(in crate::bitstream) fn slice_format(extradata: &[u8]) -> Option<SliceFormat> {
    let (_, sps) = parse_set(first_set(extradata)?)?;
    Some(SliceFormat {
        frame_bits: u32::from(sps.log2_max_frame_num()),
        count_bits: match sps.pic_order_cnt {
            PicOrderCntType::TypeZero {
                log2_max_pic_order_cnt_lsb_minus4,
            } => Some(u32::from(log2_max_pic_order_cnt_lsb_minus4) + 4),
            _ => None,
        },
        may_be_field: sps.frame_mbs_flags != FrameMbsFlags::Frames,
        separate_planes: sps.chroma_info.separate_colour_plane_flag,
        extra_bits: 0,
        has_output_flag: false,
    })
}

/// The first fields of a slice header; `None` for other units.
pub(in crate::bitstream) fn slice(unit: &[u8], format: &SliceFormat) -> Option<Slice> {
    if !is_slice(unit) {
        return None;
    }
    let is_idr = unit[0] & 0x1f == kind::IDR;
    let plain = unescape(&unit[1..], 32);
    let mut bits = Bits::new(&plain);
    bits.skip_ue(3)?; // First macroblock, type, picture parameter set.
    if format.separate_planes {
        bits.u(2)?;
    }
    let frame = bits.u(format.frame_bits)?;
    let is_field = format.may_be_field && bits.bit()?;
    let field = if is_field {
        Some(Field {
            bottom: bits.bit()?,
            frame,
        })
    } else {
        None
    };
    // A frame number alone is enough to pair fields.
    let mut count = || {
        if is_idr {
            bits.skip_ue(1)?;
        }
        bits.u(format.count_bits?)
    };
    Some(Slice {
        count: count(),
        restarts: is_idr,
        is_reference: unit[0] & 0x60 != 0,
        field,
    })
}

/// Returns true if a unit, never empty, is a slice of a picture.
fn is_slice(unit: &[u8]) -> bool {
    matches!(unit[0] & 0x1f, kind::SLICE | kind::PARTITION_A | kind::IDR)
}

/// Reads the field in each packet of a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldReader {
    framing: Framing,
    format: SliceFormat,
}

impl FieldReader {
    /// For packets with this configuration; `None` for streams of whole frames only.
    pub(crate) fn new(extradata: &[u8]) -> Option<FieldReader> {
        let format = slice_format(extradata)?;
        format.may_be_field.then(|| FieldReader {
            framing: Framing::from_avcc(extradata),
            format,
        })
    }

    /// The field in a packet; `None` for a whole frame.
    pub(crate) fn read(&self, packet: &[u8]) -> Option<Field> {
        let unit = units(packet, self.framing).find(|unit| is_slice(unit))?;
        slice(unit, &self.format)?.field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fields_of_one_number_are_a_frame() {
        let format = SliceFormat {
            frame_bits: 4,
            count_bits: Some(4),
            may_be_field: true,
            separate_planes: false,
            extra_bits: 0,
            has_output_flag: false,
        };
        let reader = FieldReader {
            framing: Framing::StartCodes,
            format,
        };
        // Three ue(0) are 111; then four bits of the frame number, field or not, bottom or not.
        let read = |bits: u16| {
            let [high, low] = bits.to_be_bytes();
            reader.read(&[0, 0, 1, 0x41, high, low, 0x80])
        };
        let top = read(0b1110_1011_0000_0000).unwrap();
        let bottom = read(0b1110_1011_1000_0000).unwrap();
        let next = read(0b1110_1101_1000_0000).unwrap();
        assert!(bottom.completes(top) && top.completes(bottom));
        assert!(!next.completes(top) && !top.completes(top));
        assert_eq!(read(0b1110_1010_0000_0000), None, "a whole frame");
    }
}
