//! Pictures that come as two fields, in a packet each.

use super::is_slice;
use super::slices::numbering;
use crate::bitstream::bits::Bits;
use crate::bitstream::order::Numbering;
use crate::bitstream::{Framing, unescape, units};

/// A field of a picture: half of its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    bottom: bool,
    frame: u32,
}

impl Field {
    /// Whether this is the other half of the same frame.
    pub(crate) fn completes(self, first: Field) -> bool {
        self.bottom != first.bottom && self.frame == first.frame
    }
}

/// Reads which field each packet of a stream is; `None` for streams that only have whole frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldReader {
    framing: Framing,
    numbering: Numbering,
}

impl FieldReader {
    /// For packets with this configuration.
    pub(crate) fn new(extradata: &[u8]) -> Option<FieldReader> {
        let numbering = numbering(extradata)?;
        numbering.may_be_field.then(|| FieldReader {
            framing: Framing::of_h264(extradata),
            numbering,
        })
    }

    /// Which field a packet is; `None` if it is a whole frame.
    pub(crate) fn read(&self, packet: &[u8]) -> Option<Field> {
        let unit = units(packet, self.framing).find(|unit| is_slice(unit))?;
        let plain = unescape(&unit[1..], 32);
        let mut bits = Bits::new(&plain);
        bits.skip_golomb(3)?; // first macroblock, type, picture parameter set
        if self.numbering.separate_planes {
            bits.number(2)?;
        }
        let frame = bits.number(self.numbering.frame_bits)?;
        if bits.flag()? {
            Some(Field {
                bottom: bits.flag()?,
                frame,
            })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fields_of_one_number_are_a_frame() {
        let numbering = Numbering {
            frame_bits: 4,
            count_bits: Some(4),
            may_be_field: true,
            separate_planes: false,
            extra_bits: 0,
            says_shown: false,
        };
        let reader = FieldReader {
            framing: Framing::StartCodes,
            numbering,
        };
        // three ue(0) are 111; then four bits of the frame's number, a field or not, bottom or not
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
