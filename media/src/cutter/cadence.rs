//! The typical interval between frames.

/// Recent frames that are measured: enough to see past the reordering of any codec (16 frames).
const RECENT: usize = 33;

/// The median interval between recent frames.
///
/// A median, not a mean: one late frame must not change the threshold of a jump.
#[derive(Clone, Debug)]
pub(crate) struct Cadence {
    recent: Vec<i64>,
    /// Index in `recent` of the next one to replace, once it is full.
    next: usize,
    /// The last known interval: the header's claim at first. At least 1.
    interval: i64,
}

impl Cadence {
    /// Starts with the header's interval in ticks.
    pub(crate) fn new(claimed: i64) -> Cadence {
        Cadence {
            recent: Vec::with_capacity(RECENT),
            next: 0,
            interval: claimed.max(1),
        }
    }

    /// Records the timestamp of a frame.
    pub(crate) fn record(&mut self, pts: i64) {
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

    /// The interval in ticks as last measured: cheap, at most [`RECENT`] frames old.
    pub(crate) fn last_measured(&self) -> i64 {
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
        // With fewer, one odd step (or frames not yet in order) would decide.
        if steps.len() < 4 {
            return self.interval;
        }
        let middle = steps.len() / 2;
        *steps.select_nth_unstable(middle).1
    }

    /// Drops the timestamps but keeps the interval: the clock was set, the camera is the same.
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
    fn reordered_frames_have_the_same_interval() {
        let mut cadence = Cadence::new(1);
        for group in 0..5 {
            for place in [0, 4, 2, 1, 3] {
                cadence.record((group * 5 + place) * 40);
            }
        }
        assert_eq!(cadence.measure(), 40);
    }

    #[test]
    fn one_late_frame_changes_nothing() {
        let mut cadence = Cadence::new(40);
        (0..20)
            .map(|n| n * 40 + if n > 10 { 5000 } else { 0 })
            .for_each(|pts| cadence.record(pts));
        assert_eq!(cadence.measure(), 40);
    }

    #[test]
    fn the_header_counts_until_frames_are_measured() {
        let mut cadence = Cadence::new(3600);
        cadence.record(0);
        cadence.record(90_000);
        assert_eq!(cadence.measure(), 3600);
    }
}
