//! Analyses a source and its cuts: reads it as a recording does, without writing a chunk.
//!
//! ```text
//!   Chunks ──► cuts ──► Tally ──► Analysis
//!              those of a         (pure)
//!              recording
//! ```

mod tally;

use std::sync::Arc;
use std::time::Duration;

use self::tally::Tally;
use crate::chunks::Chunks;
use crate::error::ReadError;
use crate::video::{Container, VideoFormat};

/// The properties of a source and its cuts.
///
/// The cuts are those of a recording with the same settings, not an estimate: source and cutter are
/// the same, only the muxer is left out. So sizes are those of the pictures, without the container
/// (some 50 bytes a frame).
#[derive(Debug)]
#[non_exhaustive]
pub struct Analysis {
    /// Format of the pictures at the start.
    pub format: Arc<VideoFormat>,
    /// Number of changes of the format: resolution, profile and so on.
    pub format_changes: u32,
    /// File format of the chunks.
    pub container: Container,
    /// Duration that was read, in the source's own time.
    pub read: Duration,
    /// Duration that the container claims; claims are wrong.
    pub claimed: Option<Duration>,
    /// The reason for the end of reading.
    pub end: EndReason,
    /// Frames in the chunks.
    pub frames: u64,
    /// Bytes of their pictures.
    pub bytes: u64,
    /// Packets in the chunks.
    pub packets: u64,
    /// Lengths of the chunks.
    pub chunks: Distribution<Duration>,
    /// Bytes of the chunks.
    pub chunk_bytes: Distribution<u64>,
    /// Frames from one key frame to the next, without the last group, which may be incomplete.
    pub group_frames: Distribution<u64>,
    /// Time from one key frame to the next.
    pub groups: Distribution<Duration>,
    /// The longest time without a key frame, including the last group.
    pub longest_wait: Duration,
    /// Key frames after which no picture refers to an earlier one.
    pub closed_keys: u64,
    /// Key frames of open groups of pictures.
    pub open_keys: u64,
    /// Points of intra refresh, after which the picture becomes correct some frames later.
    pub recovery_points: u64,
    /// Pictures at the start of chunks that decode only after the previous chunk.
    pub leading_pictures: u64,
    /// Chunks that begin inside a group of pictures.
    pub dependent_chunks: u64,
    /// Time between frames.
    pub intervals: Distribution<Duration>,
    /// Intervals that differ from the median by more than a tenth of it and a millisecond (to which
    /// Matroska rounds).
    pub uneven_intervals: u64,
    /// Jumps of the source's clock in seconds; negative where it was set back.
    pub steps: Vec<f64>,
    /// Unusable packets before the first key frame.
    pub lost: u64,
    /// Packets that the source itself marks as damaged.
    pub corrupt: u64,
    /// Packets in front that are decoded but not shown.
    pub hidden: u64,
    /// True if timestamps were inferred.
    pub times_inferred: bool,
}

/// The reason for the end of reading.
#[derive(Debug)]
pub enum EndReason {
    /// The source ended.
    EndOfSource,
    /// The requested duration was read.
    Limit,
    /// Reading failed. The analysis covers the part before.
    Failed(ReadError),
}

impl Analysis {
    /// Measured frames a second: all frames over all time, without steps of the clock.
    pub fn frame_rate(&self) -> f64 {
        per_second(self.frames, self.read)
    }

    /// Bits a second, of the pictures alone.
    pub fn bit_rate(&self) -> f64 {
        per_second(self.bytes * 8, self.read)
    }

    /// Returns true if the frame rate is variable: more than one interval in a hundred is uneven.
    pub fn varies(&self) -> bool {
        self.uneven_intervals * 100 > self.intervals.count
    }
}

fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() {
        return 0.0;
    }
    count as f64 / time.as_secs_f64()
}

/// Count, minimum, median and maximum of a set of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distribution<T> {
    /// Number of values.
    pub count: u64,
    /// The minimum; the type's default without values.
    pub min: T,
    /// The median; of two in the middle, the greater one.
    pub median: T,
    /// The maximum.
    pub max: T,
}

impl<T: Copy + Default + Ord> Distribution<T> {
    /// The distribution of these values.
    fn new(mut values: Vec<T>) -> Distribution<T> {
        values.sort_unstable();
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        Distribution {
            count: values.len() as u64,
            min: at(0),
            median: at(values.len() / 2),
            max: at(values.len().saturating_sub(1)),
        }
    }
}

/// Reads a source to its end, or until chunks of `limit` in all are cut, at the speed of copying.
pub fn analyze(mut chunks: Chunks, limit: Option<Duration>) -> Analysis {
    let mut tally = Tally::default();
    let end = loop {
        if limit.is_some_and(|limit| tally.read() >= limit) {
            break EndReason::Limit;
        }
        match chunks.next_cut() {
            Ok(Some((cut, _))) => tally.add(&cut),
            Ok(None) => break EndReason::EndOfSource,
            Err(failure) => break EndReason::Failed(failure),
        }
    };
    let lost = chunks.lost();
    tally.finish(&chunks, end, lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_median_and_nothing_is_spread_over_nothing() {
        let distribution = Distribution::new(vec![9, 1, 2]);
        assert_eq!(
            (
                distribution.count,
                distribution.min,
                distribution.median,
                distribution.max
            ),
            (3, 1, 2, 9)
        );
        assert_eq!(
            Distribution::<u32>::new(Vec::new()),
            Distribution::default()
        );
    }
}
