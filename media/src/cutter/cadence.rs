//! How far apart frames are.

/// How many recent frames are looked at: enough to see past the reordering of any codec (16 frames).
const RECENT: usize = 33;

/// The typical interval between frames, learned from recent timestamps.
///
/// A median, not a mean: one late frame must not change what counts as a jump.
#[derive(Clone, Debug)]
pub(crate) struct Cadence {
    recent: Vec<i64>,
    /// Where in `recent` the next one goes, once it is full.
    next: usize,
    /// The last known interval: the header's claim at first. At least 1.
    interval: i64,
}

impl Cadence {
    /// Starts from the interval that the header claims, in ticks.
    pub(crate) fn new(claimed: i64) -> Cadence {
        Cadence {
            recent: Vec::with_capacity(RECENT),
            next: 0,
            interval: claimed.max(1),
        }
    }

    /// Notes the timestamp of a frame.
    pub(crate) fn note(&mut self, pts: i64) {
        if self.recent.len() < RECENT {
            self.recent.push(pts);
            return;
        }
        self.recent[self.next] = pts;
        self.next = (self.next + 1) % RECENT;
        if self.next == 0 {
            self.interval = self.measure();
        }
    }

    /// The interval as it was when it was last worked out, in ticks: cheap, at most [`RECENT`] frames old.
    pub(crate) fn roughly(&self) -> i64 {
        self.interval
    }

    /// The median interval of the recent frames, in ticks, at least 1.
    pub(crate) fn measure(&self) -> i64 {
        let mut sorted = self.recent.clone();
        sorted.sort_unstable();
        let mut steps: Vec<i64> = sorted
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .filter(|&step| step > 0)
            .collect();
        // fewer than this, and one odd step (or frames not yet put in order) would speak for all
        if steps.len() < 4 {
            return self.interval;
        }
        let middle = steps.len() / 2;
        *steps.select_nth_unstable(middle).1
    }

    /// Forgets the timestamps but not the interval: the clock was set, the camera is the same.
    pub(crate) fn restart(&mut self) {
        self.interval = self.measure();
        self.recent.clear();
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_out_of_order_have_the_interval_of_frames_in_order() {
        let mut cadence = Cadence::new(1);
        for group in 0..5 {
            for place in [0, 4, 2, 1, 3] {
                cadence.note((group * 5 + place) * 40);
            }
        }
        assert_eq!(cadence.measure(), 40);
    }

    #[test]
    fn one_late_frame_changes_nothing() {
        let mut cadence = Cadence::new(40);
        (0..20)
            .map(|n| n * 40 + if n > 10 { 5000 } else { 0 })
            .for_each(|pts| cadence.note(pts));
        assert_eq!(cadence.measure(), 40);
    }

    #[test]
    fn the_header_is_believed_until_frames_have_been_seen() {
        let mut cadence = Cadence::new(3600);
        cadence.note(0);
        cadence.note(90_000);
        assert_eq!(cadence.measure(), 3600);
    }
}
