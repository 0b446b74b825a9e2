//! Limits on the length of a group of pictures.

use std::time::Duration;

/// The size at which a group of pictures is split.
///
/// Splitting is the last resort, since the second half cannot be decoded without the first (cutting
/// at 10 s a file whose groups last 25 s lost 500 of 795 frames). But memory is bounded, so chunks
/// are too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The longest time without a key frame.
    pub(crate) duration: Duration,
    /// The most bytes without a key frame.
    pub(crate) bytes: usize,
}

impl Default for Limits {
    /// 120 s, which smart codecs reach on still scenes, and 64 MiB.
    fn default() -> Limits {
        Limits {
            duration: Duration::from_secs(120),
            bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// Returns true if a group of this duration and size must be split.
    pub(crate) fn is_too_long(&self, lasted: Duration, bytes: usize) -> bool {
        lasted >= self.duration || bytes >= self.bytes
    }
}
