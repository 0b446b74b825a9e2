//! Stream sizes that fit into a small server's store. Pure.

use super::settings::wanted_bytes;
use crate::Stream;

/// The largest share of the free storage to reserve: a server whose store is reserved to the last
/// byte cannot make another stream.
const SHARE: f64 = 0.9;

/// The smallest size of a stream. A smaller one would be full at once.
const LEAST: i64 = 1 << 20;

/// The fraction of the wanted sizes that fits.
///
/// A server *reserves* a stream's limit when it makes the stream, once for each replica, and
/// refuses a limit that it cannot reserve. Ordinary accounts cannot read the limit of the server's
/// store. Where the account has no limit of its own the first guess is that everything fits, and
/// each refusal is followed by [`Scale::smaller`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale(f64);

impl Scale {
    /// The scale at which `streams` fit into `free` bytes, with `replicas` copies each.
    pub(super) fn fitting(streams: &[Stream], replicas: u8, free: Option<i64>) -> Self {
        let Some(free) = free else {
            return Self(1.0);
        };
        let wanted: i64 = streams.iter().copied().map(wanted_bytes).sum();
        let needed = wanted as f64 * f64::from(replicas);
        Self((free.max(0) as f64 * SHARE / needed.max(1.0)).min(1.0))
    }

    /// The next scale to try after a refusal; `None` after the smallest sizes were refused.
    pub(super) fn smaller(self) -> Option<Self> {
        let next = self.0 * 0.7;
        (wanted_bytes(Stream::Uploaded) as f64 * next >= LEAST as f64).then_some(Self(next))
    }

    /// The size of `stream`, in whole MiB.
    pub(super) fn bytes(self, stream: Stream) -> i64 {
        let scaled = (wanted_bytes(stream) as f64 * self.0) as i64;
        (scaled / LEAST * LEAST).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_stream_gets_its_wanted_size_where_all_fit() {
        let scale = Scale::fitting(&Stream::ALL, 1, Some(1 << 40));
        for stream in Stream::ALL {
            assert_eq!(scale.bytes(stream), wanted_bytes(stream));
        }
        assert_eq!(Scale::fitting(&Stream::ALL, 3, None), Scale(1.0));
    }

    #[test]
    fn the_number_of_scales_is_limited() {
        let tries = std::iter::successors(Some(Scale(1.0)), |scale| scale.smaller()).count();
        assert!((10..40).contains(&tries), "{tries}");
    }

    proptest! {
        #[test]
        fn planned_sizes_fit(free in (64_i64 << 20)..(1 << 42), replicas in prop::sample::select(vec![1_u8, 3])) {
            let scale = Scale::fitting(&Stream::ALL, replicas, Some(free));
            let planned: i64 = Stream::ALL.into_iter().map(|stream| scale.bytes(stream)).sum();
            prop_assert!(planned * i64::from(replicas) <= free, "{planned}");
        }

        #[test]
        fn proportions_are_kept(free in (1_i64 << 33)..(1 << 36)) {
            let scale = Scale::fitting(&Stream::ALL, 1, Some(free));
            let ratio = scale.bytes(Stream::Uploaded) as f64 / scale.bytes(Stream::Chunks) as f64;
            prop_assert!((1.9..2.1).contains(&ratio), "{ratio}");
        }
    }
}
