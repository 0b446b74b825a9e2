//! The numbers in a slice's header (7.3.3).

use h264_reader::nal::sps::{FrameMbsFlags, PicOrderCntType, SeqParameterSet};
use h264_reader::rbsp::BitReader;

use super::{first_set, is_slice, kind};
use crate::bitstream::bits::Bits;
use crate::bitstream::order::{Numbering, Slice};
use crate::bitstream::unescape;

/// How slices are to be read.
pub(in crate::bitstream) fn numbering(extradata: &[u8]) -> Option<Numbering> {
    let plain = unescape(first_set(extradata)?.get(1..)?, 4096);
    let sps = SeqParameterSet::from_bits(BitReader::new(plain.as_slice())).ok()?;
    Some(Numbering {
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
        says_shown: false,
    })
}

/// The first fields of a slice header (7.3.3); `None` for other units.
pub(in crate::bitstream) fn slice(unit: &[u8], numbering: &Numbering) -> Option<Slice> {
    if !is_slice(unit) {
        return None;
    }
    let kind = unit[0] & 0x1f;
    let plain = unescape(&unit[1..], 32);
    let mut bits = Bits::new(&plain);
    bits.skip_golomb(3)?; // first macroblock, type, picture parameter set
    if numbering.separate_planes {
        bits.number(2)?;
    }
    bits.number(numbering.frame_bits)?;
    if numbering.may_be_field && bits.flag()? {
        bits.flag()?; // bottom
    }
    if kind == kind::IDR {
        bits.skip_golomb(1)?;
    }
    let count = bits.number(numbering.count_bits?)?;
    Some(Slice {
        count,
        restarts: kind == kind::IDR,
        is_reference: unit[0] & 0x60 != 0,
    })
}
