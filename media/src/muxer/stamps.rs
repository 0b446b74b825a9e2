//! Decode times, recomputed for every chunk.

use crate::ffi::Stamp;

/// Decode times and durations for the packets of a chunk, from their presentation times.
///
/// A source's own decode times are unusable: cameras give none, or guesses that go backwards. Here
/// packets are decoded in the rhythm in which frames are shown, ahead of it by the reordering
/// delay. So the distance of two decode times is the distance of two shown frames, and all
/// distances sum to exactly the chunk's interval. For any timestamps, decode times are strictly
/// increasing and never later than the picture's presentation.
///
/// A packet's duration is that of its picture. But the last decoded packet gets the duration of the
/// last shown frame: from these two the muxer takes the length of the whole.
pub(super) fn stamps(pts: impl Iterator<Item = i64>, start: i64, end: i64) -> Vec<Stamp> {
    let shown: Vec<i64> = pts.map(|pts| pts - start).collect();
    let mut order: Vec<usize> = (0..shown.len()).collect();
    order.sort_by_key(|&packet| shown[packet]);
    let decoded = strictly_increasing(order.iter().map(|&packet| shown[packet]));
    let delay = decoded
        .iter()
        .zip(&shown)
        .map(|(decoded, shown)| decoded - shown)
        .max()
        .unwrap_or(0);
    let mut stamps: Vec<Stamp> = decoded
        .iter()
        .zip(&shown)
        .map(|(dts, &pts)| Stamp {
            dts: dts - delay,
            pts,
            duration: 1,
        })
        .collect();
    let ends = decoded.iter().skip(1).copied().chain([end - start]);
    let durations = decoded
        .iter()
        .zip(ends)
        .map(|(begin, end)| (end - begin).max(1));
    let mut last_shown = 1;
    for (&packet, duration) in order.iter().zip(durations) {
        stamps[packet].duration = duration;
        last_shown = duration;
    }
    if let Some(last_decoded) = stamps.last_mut() {
        last_decoded.duration = last_shown;
    }
    stamps
}

/// The same times, each raised to at least one tick after the previous one.
fn strictly_increasing(times: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut previous = i64::MIN;
    let raised = times.map(|time| {
        previous = time.max(previous.saturating_add(1));
        previous
    });
    raised.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reordered_frames_are_decoded_evenly() {
        let stamps = stamps([100, 104, 102, 101, 103].into_iter(), 100, 105);
        assert_eq!(
            stamps.iter().map(|stamp| stamp.dts).collect::<Vec<_>>(),
            [-2, -1, 0, 1, 2]
        );
        assert!(stamps.iter().all(|stamp| stamp.duration == 1));
    }

    #[test]
    fn frames_in_order_are_decoded_when_they_are_shown() {
        let stamps = stamps([7, 9, 20].into_iter(), 7, 21);
        let found: Vec<_> = stamps
            .iter()
            .map(|stamp| (stamp.dts, stamp.duration))
            .collect();
        assert_eq!(found, [(0, 2), (2, 11), (13, 1)]);
    }

    #[test]
    fn the_last_packet_has_the_duration_of_the_last_frame() {
        let stamps = stamps([0, 40, 120, 80].into_iter(), 0, 240);
        let durations: Vec<_> = stamps.iter().map(|stamp| stamp.duration).collect();
        assert_eq!(durations, [40, 40, 120, 120]);
    }

    proptest! {
        #[test]
        fn decode_times_increase_and_precede_presentation(pts in prop::collection::vec(-50..50i64, 1..60)) {
            let end = pts.iter().max().unwrap() + 1;
            let stamps = stamps(pts.iter().copied(), -50, end);
            prop_assert_eq!(stamps.len(), pts.len());
            prop_assert!(stamps.windows(2).all(|pair| pair[0].dts < pair[1].dts));
            prop_assert!(stamps.iter().all(|stamp| stamp.duration > 0 && stamp.dts <= stamp.pts));
        }

        #[test]
        fn durations_sum_to_the_interval(
            pts in prop::collection::hash_set(0..10_000i64, 1..100).prop_map(|set| set.into_iter().collect::<Vec<_>>()),
            last in 1..100i64,
        ) {
            let (first, end) = (*pts.iter().min().unwrap(), pts.iter().max().unwrap() + last);
            let stamps = stamps(pts.into_iter(), first, end);
            let decoded = stamps.last().unwrap();
            prop_assert_eq!(decoded.dts + decoded.duration - stamps[0].dts, end - first);
            let shown = stamps.iter().map(|stamp| stamp.pts + stamp.duration).max().unwrap();
            prop_assert!(shown == end - first || stamps.len() == 1);
        }
    }
}
