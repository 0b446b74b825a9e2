//! Places a source's timestamps on one unbroken timeline.

use std::time::Duration;

use super::cadence::Cadence;
use crate::time::Timebase;

/// Most frame intervals that a timestamp may lie before the latest one: no codec reorders over more
/// than 16 frames.
const REORDERING: i64 = 16;

/// The largest step forward that is a pause and not a jump, unless frames are further apart than an
/// eighth of it.
const PAUSE: Duration = Duration::from_secs(10);

/// Median intervals that count as a pause too, for sources with few frames (a valid 0.1 fps would
/// be all jumps otherwise).
const PAUSE_FRAMES: i64 = 8;

/// Unwraps timestamps and detects jumps.
///
/// Wraps of the counter (33 bits in MPEG-TS, 26.5 hours) are undone. Every video packet is tested,
/// not only key frames: otherwise a jump in the middle of a group of pictures would hide inside a
/// chunk.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    /// Ticks after which the source's counter starts again; `None` for never.
    wrap: Option<i64>,
    /// Whole wraps, added to the source's timestamps.
    offset: i64,
    /// The latest timestamp so far.
    latest: Option<i64>,
    cadence: Cadence,
    pause: i64,
}

/// A timestamp's position on the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// In ticks, unwrapped.
    pub(crate) pts: i64,
    /// True for the first timestamp after a jump, on a new timeline.
    pub(crate) jumped: bool,
}

impl Timeline {
    /// An empty timeline; `claimed` is the header's interval between frames.
    pub(crate) fn new(
        timebase: Timebase,
        timestamp_bits: u32,
        claimed: Option<Duration>,
    ) -> Timeline {
        // Without a claim, 25 frames a second: even off by a factor of ten, it is far below a jump
        // that matters.
        let claimed = timebase.ticks(claimed.unwrap_or(Duration::from_millis(40)));
        Timeline {
            wrap: (1..63)
                .contains(&timestamp_bits)
                .then(|| 1 << timestamp_bits),
            offset: 0,
            latest: None,
            cadence: Cadence::new(claimed),
            pause: timebase.ticks(PAUSE),
        }
    }

    /// Places the timestamp of the next packet in decode order.
    pub(crate) fn place(&mut self, raw: i64) -> Position {
        let pts = self.unwrap(raw);
        let jumped = self.latest.is_some_and(|latest| self.is_jump(latest, pts));
        if jumped {
            self.cadence.restart();
            self.latest = None;
        }
        self.cadence.record(pts);
        self.latest = Some(self.latest.map_or(pts, |latest| latest.max(pts)));
        Position { pts, jumped }
    }

    /// The latest timestamp on the timeline.
    pub(crate) fn latest(&self) -> Option<i64> {
        self.latest
    }

    /// The median interval between recent frames, in ticks.
    pub(crate) fn interval(&self) -> i64 {
        self.cadence.measure()
    }

    fn unwrap(&mut self, raw: i64) -> i64 {
        let pts = raw.saturating_add(self.offset);
        let (Some(wrap), Some(latest)) = (self.wrap, self.latest) else {
            return pts;
        };
        if latest - pts > wrap / 2 {
            self.offset += wrap;
        } else if pts - latest > wrap / 2 {
            self.offset -= wrap; // Shown before the wrap, stored after it.
        }
        raw.saturating_add(self.offset)
    }

    fn is_jump(&self, latest: i64, pts: i64) -> bool {
        let beyond = |interval: i64| {
            let back = latest.saturating_sub(pts) > REORDERING.saturating_mul(interval);
            back || pts.saturating_sub(latest)
                > self.pause.max(PAUSE_FRAMES.saturating_mul(interval))
        };
        beyond(self.cadence.last_measured()) && beyond(self.cadence.measure())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 90_000;

    fn timeline(bits: u32, fps: u32) -> Timeline {
        Timeline::new(
            Timebase::new(1, 90_000).unwrap(),
            bits,
            Some(Duration::from_secs(1) / fps),
        )
    }

    fn jumps(line: &mut Timeline, stamps: impl IntoIterator<Item = i64>) -> Vec<usize> {
        let jumped = |(index, stamp)| line.place(stamp).jumped.then_some(index);
        stamps.into_iter().enumerate().filter_map(jumped).collect()
    }

    #[test]
    fn a_wrapped_counter_goes_on() {
        let mut line = timeline(33, 25);
        let first = (1 << 33) - 5 * 3600;
        let placed: Vec<_> = (0..10)
            .map(|n| line.place((first + n * 3600) % (1 << 33)))
            .collect();
        for (n, placed) in (0..).zip(placed) {
            assert_eq!(
                placed,
                Position {
                    pts: first + n * 3600,
                    jumped: false
                }
            );
        }
    }

    #[test]
    fn pictures_reordered_around_a_wrap_keep_their_order() {
        let mut line = timeline(33, 25);
        let wrap = 1i64 << 33;
        let frames = [-4, 0, -2, -3, -1, 4, 2, 1, 3];
        for frame in frames {
            let pts = wrap + frame * 3600;
            assert_eq!(line.place(pts % wrap).pts, pts);
        }
    }

    #[test]
    fn steps_back_beyond_sixteen_frames_are_jumps() {
        let steady = (0..50).map(|n| n * 3600);
        assert_eq!(
            jumps(
                &mut timeline(33, 25),
                steady.clone().chain([49 * 3600 - 3 * SECOND])
            ),
            [50]
        );
        assert_eq!(
            jumps(&mut timeline(33, 25), steady.chain([49 * 3600 - 16 * 3600])),
            [] as [usize; 0]
        );
    }

    #[test]
    fn ten_seconds_are_a_pause_twenty_a_jump() {
        let steady = (0..50).map(|n| n * 3600);
        assert_eq!(
            jumps(
                &mut timeline(33, 25),
                steady.clone().chain([49 * 3600 + 10 * SECOND])
            ),
            [] as [usize; 0]
        );
        assert_eq!(
            jumps(
                &mut timeline(33, 25),
                steady.chain([49 * 3600 + 20 * SECOND])
            ),
            [50]
        );
    }

    #[test]
    fn slow_frame_rates_are_no_jumps() {
        assert_eq!(
            jumps(&mut timeline(33, 25), (0..30).map(|n| n * 2 * SECOND)),
            [] as [usize; 0]
        );
        let mut timelapse = Timeline::new(
            Timebase::new(1, 1).unwrap(),
            64,
            Some(Duration::from_secs(60)),
        );
        assert_eq!(
            jumps(&mut timelapse, (0..30).map(|n| n * 60)),
            [] as [usize; 0]
        );
    }

    #[test]
    fn the_new_timeline_is_followed_after_a_jump() {
        let stamps = (0..50)
            .map(|n| n * 3600)
            .chain((0..50).map(|n| n * 3600 - 1_000_000));
        assert_eq!(jumps(&mut timeline(64, 25), stamps), [50]);
    }
}
