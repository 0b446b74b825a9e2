//! The audio's own timelines: each step back begins a new one, so that times before and after it
//! are never confused.

use std::time::Duration;

use crate::time::Timebase;

/// The least step back that is a jump. Audio is stored in order: this is far more than rounding,
/// and less than any relevant jump of the pictures.
const STEP: Duration = Duration::from_millis(500);

/// Places audio packets on numbered timelines.
pub(super) struct AudioTimelines {
    wrap: Option<i64>,
    step: i64,
    /// Number and end of the current timeline.
    now: Option<(u32, i64)>,
}

impl AudioTimelines {
    pub(super) fn new(base: Timebase, timestamp_bits: u32) -> AudioTimelines {
        AudioTimelines {
            wrap: (1..63)
                .contains(&timestamp_bits)
                .then(|| 1 << timestamp_bits),
            step: base.ticks(STEP),
            now: None,
        }
    }

    /// The least step back that is a jump, in ticks.
    pub(super) fn step(&self) -> i64 {
        self.step
    }

    /// The number of a packet's timeline, and its time there. A packet without a stamp follows the
    /// previous one. Wraps of the counter are undone by the pictures' time, `near`.
    pub(super) fn place(
        &mut self,
        stamp: Option<i64>,
        duration: i64,
        near: Option<i64>,
    ) -> (u32, i64) {
        let (number, end) = self.now.unwrap_or((0, near.unwrap_or(0)));
        let pts = stamp.map_or(end, |stamp| self.unwrap(stamp, near));
        let number = number + u32::from(self.now.is_some() && pts < end - self.step);
        self.now = Some((number, pts.saturating_add(duration)));
        (number, pts)
    }

    fn unwrap(&self, stamp: i64, near: Option<i64>) -> i64 {
        let (Some(wrap), Some(near)) = (self.wrap, near) else {
            return stamp;
        };
        let turns = (near - stamp + wrap / 2).div_euclid(wrap);
        stamp + turns * wrap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timelines() -> AudioTimelines {
        AudioTimelines::new(Timebase::new(1, 90_000).unwrap(), 33)
    }

    #[test]
    fn a_wrapped_counter_continues_beside_the_pictures() {
        let mut timelines = timelines();
        let wrap = 1i64 << 33;
        let placed = [(wrap - 1920, wrap - 5), (0, wrap - 5), (1920, wrap + 9)]
            .map(|(stamp, near)| timelines.place(Some(stamp), 1920, Some(near)));
        assert_eq!(placed, [(0, wrap - 1920), (0, wrap), (0, wrap + 1920)]);
    }

    #[test]
    fn a_step_back_begins_a_timeline_and_a_pause_does_not() {
        let mut timelines = timelines();
        let second = 90_000;
        let numbers = [0, second, 31 * second, 28 * second, 29 * second]
            .map(|stamp| timelines.place(Some(stamp), second, None).0);
        assert_eq!(numbers, [0, 0, 0, 1, 1]);
    }

    #[test]
    fn a_packet_without_a_stamp_follows_the_previous_one() {
        let mut timelines = timelines();
        assert_eq!(timelines.place(Some(100), 20, None), (0, 100));
        assert_eq!(timelines.place(None, 20, None), (0, 120));
    }
}
