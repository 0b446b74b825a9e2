//! The audio's own timeline: numbered anew whenever it is set back, so that time before that is never taken for time after it.

use std::time::Duration;

use crate::time::Timebase;

/// A step back that is a jump. Audio is stored in order: this is far more than rounding, and less than any jump of pictures
/// that matters.
const STEP: Duration = Duration::from_millis(500);

/// Where the audio is.
pub(super) struct Line {
    wrap: Option<i64>,
    step: i64,
    /// Number and end of the line so far.
    now: Option<(u32, i64)>,
}

impl Line {
    pub(super) fn new(base: Timebase, timestamp_bits: u32) -> Line {
        Line {
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

    /// The number of the line that a packet lies on and its time there. Without a stamp it follows the one before; whole
    /// turns of the counter are undone by what is `near`: the pictures.
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

    fn line() -> Line {
        Line::new(Timebase::new(1, 90_000).unwrap(), 33)
    }

    #[test]
    fn a_wrapped_counter_goes_on_beside_the_pictures() {
        let mut line = line();
        let wrap = 1i64 << 33;
        let placed = [(wrap - 1920, wrap - 5), (0, wrap - 5), (1920, wrap + 9)]
            .map(|(stamp, near)| line.place(Some(stamp), 1920, Some(near)));
        assert_eq!(placed, [(0, wrap - 1920), (0, wrap), (0, wrap + 1920)]);
    }

    #[test]
    fn being_set_back_begins_another_line_and_a_pause_does_not() {
        let mut line = line();
        let second = 90_000;
        let numbers = [0, second, 31 * second, 28 * second, 29 * second]
            .map(|stamp| line.place(Some(stamp), second, None).0);
        assert_eq!(numbers, [0, 0, 0, 1, 1]);
    }

    #[test]
    fn a_packet_without_a_stamp_follows_the_one_before() {
        let mut line = line();
        assert_eq!(line.place(Some(100), 20, None), (0, 100));
        assert_eq!(line.place(None, 20, None), (0, 120));
    }
}
