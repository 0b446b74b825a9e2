//! Interlaced video with each field of a picture in its own packet, as from some cameras. No
//! available encoder writes it, so this module does (ISO/IEC 14496-10, 7.3): parameter sets, then
//! slices of uncompressed pictures.

/// Bits, first to last.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn number(mut self, value: u32, bits: u32) -> Bits {
        self.0
            .extend((0..bits).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    /// Numbers in Exp-Golomb code (9.1): a zero for each bit of the number plus one after the
    /// first.
    fn numbers<const N: usize>(self, values: [u32; N]) -> Bits {
        values.into_iter().fold(self, |bits, value| {
            let length = (value + 1).ilog2();
            bits.number(0, length).number(value + 1, length + 1)
        })
    }

    fn aligned(mut self) -> Bits {
        self.0.resize(self.0.len().next_multiple_of(8), false);
        self
    }

    /// A NAL unit with its start code. It contains no three zeros in a row, which would need an
    /// escape.
    fn unit(self, header: u8) -> Vec<u8> {
        let bits = self.number(1, 1).aligned().0;
        let byte = |bits: &[bool]| bits.iter().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
        let start = [0, 0, 0, 1, header];
        start.into_iter().chain(bits.chunks(8).map(byte)).collect()
    }
}

/// Frames of 32x32 pixels, every `gop`-th an IDR picture, each frame as a top and a bottom field.
pub(crate) fn stream(frames: u32, gop: u32) -> Vec<u8> {
    // Main profile, level 3; 2 macroblocks wide, 1 high in each field; frames may be fields.
    let sequence = Bits::default()
        .number(77, 8)
        .number(0, 8)
        .number(30, 8)
        .numbers([0, 0, 0, 4, 1])
        .number(0, 1)
        .numbers([1, 0])
        .number(0b0_0100, 5);
    let picture = Bits::default()
        .numbers([0, 0])
        .number(0, 2)
        .numbers([0, 0, 0])
        .number(0, 3)
        .numbers([0, 0, 0])
        .number(0, 3);
    let sets = [sequence.unit(0x67), picture.unit(0x68)].concat();
    let frame = |n: u32| {
        let repeated = if n.is_multiple_of(gop) {
            sets.clone()
        } else {
            Vec::new()
        };
        [repeated, field(n, gop, false), field(n, gop, true)].concat()
    };
    (0..frames).flat_map(frame).collect()
}

/// One field, as one slice. Only the first field of an IDR picture is IDR.
fn field(n: u32, gop: u32, bottom: bool) -> Vec<u8> {
    let place = n % gop;
    let idr = place == 0 && !bottom;
    let slice = Bits::default()
        .numbers([0, 7, 0])
        .number(place % 16, 4)
        .number(1, 1)
        .number(bottom.into(), 1);
    let slice = if idr {
        slice.numbers([n / gop % 2])
    } else {
        slice
    };
    let count = (2 * place + u32::from(bottom)) % 256;
    // Default reference marking.
    let slice = slice.number(count, 8).number(0, if idr { 2 } else { 1 });
    let mut slice = slice.numbers([0]); // No change of quality.
    for macroblock in 0..2 {
        let shade = 40 + (3 * n + 40 * macroblock + 20 * u32::from(bottom)) % 150;
        slice = slice.numbers([25]).aligned();
        slice = (0..384).fold(slice, |slice, _| slice.number(shade, 8));
    }
    slice.unit(if idr { 0x65 } else { 0x61 })
}
