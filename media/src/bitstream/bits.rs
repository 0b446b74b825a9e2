//! Bits of a parameter set or slice header, by the descriptors of H.264 and H.265.

use h264_reader::rbsp::{BitRead, BitReader};

/// A reader whose methods return `None` at the end of the bytes.
pub(super) struct Bits<'a>(BitReader<&'a [u8]>);

impl<'a> Bits<'a> {
    /// Reads unescaped bytes from their first bit on.
    pub(super) fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits(BitReader::new(bytes))
    }

    /// `u(1)`.
    pub(super) fn bit(&mut self) -> Option<bool> {
        self.0.read_bit("bit").ok()
    }

    /// `u(n)`, n at most 32.
    pub(super) fn u(&mut self, bits: u32) -> Option<u32> {
        self.0.read_var(bits, "u").ok()
    }

    /// `ue(v)`, at most `limit`: larger numbers are damage, and may be loop counts.
    pub(super) fn ue(&mut self, limit: u32) -> Option<u32> {
        self.0.read_ue("ue").ok().filter(|&number| number <= limit)
    }

    /// `se(v)`.
    pub(super) fn se(&mut self) -> Option<i32> {
        self.0.read_se("se").ok()
    }

    /// Skips `ue(v)`, `times` times.
    pub(super) fn skip_ue(&mut self, times: usize) -> Option<()> {
        (0..times).try_for_each(|_| self.ue(u32::MAX).map(drop))
    }
}
