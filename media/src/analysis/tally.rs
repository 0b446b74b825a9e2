//! Sums and distributions over the cuts of a source. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Analysis, Distribution, EndReason};
use crate::chunks::Chunks;
use crate::cutter::{Cut, Picture, StartKind};
use crate::time::Timebase;

/// Numbers of the cuts so far: a few for each chunk and group, none for each frame.
#[derive(Debug, Default)]
pub(super) struct Tally {
    timebase: Option<Timebase>,
    chunks: Vec<Duration>,
    chunk_bytes: Vec<u64>,
    group_frames: Vec<u64>,
    groups: Vec<Duration>,
    group: Option<Group>,
    /// The longest time without a key frame before the last step of the clock.
    waited: Duration,
    /// Number of intervals of each length in ticks.
    intervals: BTreeMap<i64, u64>,
    /// Presentation time of the previous chunk's last frame.
    last_shown: Option<i64>,
    run: u32,
    entry: Option<u32>,
    format_changes: u32,
    steps: Vec<f64>,
    counts: Counts,
}

/// Plain counters.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    frames: u64,
    packets: u64,
    closed_keys: u64,
    open_keys: u64,
    recovery_points: u64,
    leading: u64,
    dependent: u64,
    lost: u64,
    corrupt: u64,
    hidden: u64,
    inferred: bool,
}

/// The current group of pictures.
#[derive(Clone, Copy, Debug)]
struct Group {
    start: i64,
    frames: u64,
}

impl Tally {
    /// The duration of the chunks so far.
    pub(super) fn read(&self) -> Duration {
        self.chunks.iter().sum()
    }

    /// Adds a cut.
    pub(super) fn add<P>(&mut self, cut: &Cut<P>) {
        let facts = &cut.facts;
        self.timebase = Some(facts.timebase);
        if facts.run != self.run {
            self.run = facts.run;
            // A step ends the group, and the wait before it counts.
            self.waited = self.longest_wait();
            (self.group, self.last_shown) = (None, None);
            let gap = facts.gap_before.unwrap_or(0);
            self.steps
                .push(facts.timebase.microseconds(gap) as f64 / 1e6);
        }
        self.chunks.push(facts.duration());
        let bytes: usize = cut.samples.iter().map(|sample| sample.size).sum();
        self.chunk_bytes.push(bytes as u64);
        let counts = &mut self.counts;
        counts.frames += u64::from(facts.frames);
        counts.packets += u64::from(facts.packets);
        counts.lost += u64::from(facts.lost);
        counts.corrupt += u64::from(facts.corrupt);
        counts.hidden += u64::from(facts.hidden_preroll);
        counts.inferred |= facts.pts_inferred;
        counts.dependent += u64::from(facts.depends_on_previous);
        if let StartKind::Open { leading } = facts.start {
            counts.leading += u64::from(leading);
        }
        self.add_groups(cut);
        self.add_intervals(cut);
    }

    fn add_groups<P>(&mut self, cut: &Cut<P>) {
        for sample in &cut.samples {
            if self.entry.is_some_and(|entry| entry != sample.entry) {
                self.format_changes += 1;
            }
            self.entry = Some(sample.entry);
            match sample.picture {
                Picture::Idr => self.counts.closed_keys += 1,
                Picture::OpenKey => self.counts.open_keys += 1,
                Picture::RecoveryPoint => self.counts.recovery_points += 1,
                Picture::DecodableLeading | Picture::Dependent => {}
            }
            if sample.picture.is_key() {
                self.end_group(sample.pts, cut.facts.timebase);
            }
            if let Some(group) = &mut self.group {
                group.frames += u64::from(!sample.completes_frame);
            }
        }
    }

    /// A key frame ends the group before it and begins another.
    fn end_group(&mut self, key: i64, timebase: Timebase) {
        let begun = Group {
            start: key,
            frames: 0,
        };
        if let Some(group) = self.group.replace(begun) {
            self.group_frames.push(group.frames);
            self.groups.push(timebase.duration(key - group.start));
        }
    }

    fn add_intervals<P>(&mut self, cut: &Cut<P>) {
        let frames = cut
            .samples
            .iter()
            .filter(|sample| !sample.hidden && !sample.completes_frame);
        let mut shown: Vec<i64> = self.last_shown.into_iter().collect();
        shown.extend(frames.map(|sample| sample.pts));
        shown.sort_unstable();
        for pair in shown.windows(2) {
            *self.intervals.entry(pair[1] - pair[0]).or_default() += 1;
        }
        self.last_shown = shown.last().copied();
    }

    /// The result.
    pub(super) fn finish(self, chunks: &Chunks, end: EndReason, lost_at_end: u32) -> Analysis {
        let (intervals, uneven_intervals) = self.interval_spread();
        let longest_wait = self.longest_wait();
        let counts = self.counts;
        Analysis {
            format: Arc::new(chunks.format().clone()),
            format_changes: self.format_changes,
            container: chunks.container(),
            read: self.read(),
            claimed: chunks.expected_duration(),
            end,
            frames: counts.frames,
            bytes: self.chunk_bytes.iter().sum(),
            packets: counts.packets,
            chunks: Distribution::new(self.chunks),
            chunk_bytes: Distribution::new(self.chunk_bytes),
            group_frames: Distribution::new(self.group_frames),
            groups: Distribution::new(self.groups),
            longest_wait,
            closed_keys: counts.closed_keys,
            open_keys: counts.open_keys,
            recovery_points: counts.recovery_points,
            leading_pictures: counts.leading,
            dependent_chunks: counts.dependent,
            intervals,
            uneven_intervals,
            steps: self.steps,
            lost: counts.lost + u64::from(lost_at_end),
            corrupt: counts.corrupt,
            hidden: counts.hidden,
            times_inferred: counts.inferred,
        }
    }

    /// The longest time without a key frame, up to the last frame.
    fn longest_wait(&self) -> Duration {
        let tail = self.group.zip(self.last_shown).zip(self.timebase);
        let tail = tail.map(|((group, last), timebase)| timebase.duration(last - group.start));
        let whole = self.groups.iter().copied();
        whole.chain(tail).fold(self.waited, Duration::max)
    }

    /// The distribution of the time between frames, and the number of uneven intervals.
    fn interval_spread(&self) -> (Distribution<Duration>, u64) {
        let Some(timebase) = self.timebase else {
            return (Distribution::default(), 0);
        };
        let count: u64 = self.intervals.values().sum();
        let mut before = 0;
        let middle = self.intervals.iter().find(|&(_, &times)| {
            before += times;
            before > count / 2
        });
        let time = |ticks: Option<&i64>| timebase.duration(ticks.copied().unwrap_or(0));
        let distribution = Distribution {
            count,
            min: time(self.intervals.keys().next()),
            median: time(middle.map(|(ticks, _)| ticks)),
            max: time(self.intervals.keys().next_back()),
        };
        let slack = (distribution.median / 10).max(Duration::from_micros(1_001));
        let uneven = self
            .intervals
            .iter()
            .filter(|&(&ticks, _)| timebase.duration(ticks).abs_diff(distribution.median) > slack);
        (distribution, uneven.map(|(_, times)| times).sum())
    }
}
