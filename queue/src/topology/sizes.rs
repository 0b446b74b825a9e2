//! How much each stream may hold, on a server that has less room than all would like. Pure.

use super::streams::wanted_bytes;
use crate::Stream;

/// Share of the free room that is taken at most: a server whose store is spoken for to the last byte cannot make another stream.
const SHARE: f64 = 0.9;

/// The least that any stream is given: below it, it would be full at once.
const LEAST: i64 = 1 << 20;

/// What part of the wanted sizes fits.
///
/// A server *reserves* a stream's limit when the stream is made, replicas counted, and refuses what it cannot reserve. Servers do not tell
/// their store's limit to ordinary accounts, so where the account has none of its own the first guess is that everything fits, and
/// [`Scale::smaller`] is what follows a refusal.
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

    /// The next scale to try, after a refusal; `None` when even the smallest sizes are refused.
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
    fn with_room_for_all_every_stream_gets_what_it_wants() {
        let scale = Scale::fitting(&Stream::ALL, 1, Some(1 << 40));
        for stream in Stream::ALL {
            assert_eq!(scale.bytes(stream), wanted_bytes(stream));
        }
        assert_eq!(Scale::fitting(&Stream::ALL, 3, None), Scale(1.0));
    }

    #[test]
    fn refusals_end() {
        let tries = std::iter::successors(Some(Scale(1.0)), |scale| scale.smaller()).count();
        assert!((10..40).contains(&tries), "{tries}");
    }

    proptest! {
        #[test]
        fn what_is_planned_fits(free in (64_i64 << 20)..(1 << 42), replicas in prop::sample::select(vec![1_u8, 3])) {
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
