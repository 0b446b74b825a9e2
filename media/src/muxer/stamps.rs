//! When each packet is decoded: made new for every chunk.

use crate::ffi::Stamp;

/// Times of decoding and durations for the packets of a chunk, from the times at which they are shown.
///
/// A source's own times of decoding cannot be used: cameras give none, or guesses that go backwards. Here the packets
/// are decoded in the rhythm in which frames are shown, moved ahead by as much as reordering takes; so every duration is the
/// distance of two shown frames, and their sum is exactly the chunk's interval. Always strictly increasing, never later
/// than the picture is shown, whatever the timestamps are.
pub(super) struct Stamps {
    /// In the order of decoding, relative to the start of the chunk.
    shown: std::vec::IntoIter<i64>,
    /// In ascending order, one more than packets: the end of the chunk.
    decoded: Vec<i64>,
    delay: i64,
    next: usize,
}

impl Stamps {
    /// Stamps for packets shown at `pts`, in the order of decoding, of a chunk from `start` to `end`.
    pub(super) fn new(pts: impl Iterator<Item = i64>, start: i64, end: i64) -> Stamps {
        let shown: Vec<i64> = pts.map(|pts| pts - start).collect();
        let mut decoded = shown.clone();
        decoded.sort_unstable();
        decoded.push(end - start);
        let mut previous = i64::MIN;
        for time in &mut decoded {
            *time = (*time).max(previous.saturating_add(1));
            previous = *time;
        }
        let delay = decoded
            .iter()
            .zip(&shown)
            .map(|(decoded, shown)| decoded - shown)
            .max()
            .unwrap_or(0);
        Stamps {
            shown: shown.into_iter(),
            decoded,
            delay,
            next: 0,
        }
    }
}

impl Iterator for Stamps {
    type Item = Stamp;

    fn next(&mut self) -> Option<Stamp> {
        let pts = self.shown.next()?;
        let (decoded, following) = (self.decoded[self.next], self.decoded[self.next + 1]);
        self.next += 1;
        Some(Stamp {
            dts: decoded - self.delay,
            pts,
            duration: following - decoded,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reordered_frames_are_decoded_in_an_even_rhythm() {
        let stamps: Vec<_> = Stamps::new([100, 104, 102, 101, 103].into_iter(), 100, 105).collect();
        let dts: Vec<_> = stamps.iter().map(|stamp| stamp.dts).collect();
        assert_eq!(dts, [-2, -1, 0, 1, 2]);
        assert!(stamps.iter().all(|stamp| stamp.duration == 1));
    }

    #[test]
    fn frames_in_order_are_decoded_when_they_are_shown() {
        let stamps: Vec<_> = Stamps::new([7, 9, 20].into_iter(), 7, 21).collect();
        assert_eq!(
            stamps
                .iter()
                .map(|stamp| (stamp.dts, stamp.duration))
                .collect::<Vec<_>>(),
            [(0, 2), (2, 11), (13, 1)]
        );
    }

    proptest! {
        #[test]
        fn decoding_never_goes_back_and_never_comes_too_late(pts in prop::collection::vec(-50..50i64, 1..60)) {
            let end = pts.iter().max().unwrap() + 1;
            let stamps: Vec<_> = Stamps::new(pts.iter().copied(), -50, end).collect();
            prop_assert_eq!(stamps.len(), pts.len());
            prop_assert!(stamps.windows(2).all(|pair| pair[0].dts + pair[0].duration == pair[1].dts));
            prop_assert!(stamps.iter().all(|stamp| stamp.duration > 0 && stamp.dts <= stamp.pts));
        }

        #[test]
        fn durations_of_distinct_frames_sum_to_the_interval(
            pts in prop::collection::hash_set(0..10_000i64, 1..100).prop_map(|set| set.into_iter().collect::<Vec<_>>()),
            last in 1..100i64,
        ) {
            let (first, end) = (*pts.iter().min().unwrap(), pts.iter().max().unwrap() + last);
            let sum: i64 = Stamps::new(pts.into_iter(), first, end).map(|stamp| stamp.duration).sum();
            prop_assert_eq!(sum, end - first);
        }
    }
}
