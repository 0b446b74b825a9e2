//! Bits of a parameter set, one after another.

use h264_reader::rbsp::{BitRead, BitReader};

/// A reader whose every answer may be "there is no more".
pub(super) struct Bits<'a>(BitReader<&'a [u8]>);

impl<'a> Bits<'a> {
    /// Reads unescaped bytes from their first bit on.
    pub(super) fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits(BitReader::new(bytes))
    }

    /// `u(1)`.
    pub(super) fn flag(&mut self) -> Option<bool> {
        self.0.read_bit("flag").ok()
    }

    /// `u(n)`, n at most 32.
    pub(super) fn number(&mut self, bits: u32) -> Option<u32> {
        self.0.read_var(bits, "number").ok()
    }

    /// `ue(v)`, at most `limit`: what is larger is damage, and would be looped over.
    pub(super) fn golomb(&mut self, limit: u32) -> Option<u32> {
        self.0
            .read_ue("number")
            .ok()
            .filter(|&number| number <= limit)
    }

    /// `se(v)`.
    pub(super) fn signed(&mut self) -> Option<i32> {
        self.0.read_se("number").ok()
    }

    /// Passes over `ue(v)`, `times` times.
    pub(super) fn skip_golomb(&mut self, times: usize) -> Option<()> {
        (0..times).try_for_each(|_| self.golomb(u32::MAX).map(drop))
    }
}
