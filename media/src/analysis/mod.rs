//! What a source is and how it would be cut, found out by reading it as a recording does and writing nothing.
//!
//! ```text
//!   Chunks ──► cuts ──► Tally ──► Analysis
//!   (opened    (pure: the same   (pure)
//!    alike)     as recorded)
//! ```

mod distribution;
mod tally;

use std::sync::Arc;
use std::time::Duration;

pub use self::distribution::Distribution;
use self::tally::Tally;
use crate::chunks::Chunks;
use crate::error::ReadError;
use crate::video::{Container, VideoFormat};

/// What a source is and how it would be cut.
///
/// The cuts are those of a recording with the same settings, not an estimate: source and cutter are the same, only the muxer is
/// left out. So sizes are those of the pictures without the container around them (some 50 bytes a frame).
#[derive(Debug)]
#[non_exhaustive]
pub struct Analysis {
    /// What the pictures are at the start.
    pub format: Arc<VideoFormat>,
    /// How often that changes on the way: resolution, profile and so on.
    pub format_changes: u32,
    /// What kind of file chunks would be.
    pub container: Container,
    /// How much was read, in the source's own time.
    pub read: Duration,
    /// How long the container claims to be; claims are wrong.
    pub claimed: Option<Duration>,
    /// Why reading ended.
    pub end: EndReason,
    /// Frames that chunks would hold.
    pub frames: u64,
    /// Bytes of their pictures.
    pub bytes: u64,
    /// Packets that chunks would hold.
    pub packets: u64,
    /// Lengths of the chunks.
    pub chunks: Distribution<Duration>,
    /// Bytes of the chunks.
    pub chunk_bytes: Distribution<u64>,
    /// Frames from one key frame to the next; the last group is not counted, for nobody knows whether it was whole.
    pub group_frames: Distribution<u64>,
    /// Time from one key frame to the next.
    pub groups: Distribution<Duration>,
    /// The longest time without a key frame, the last group counted too.
    pub longest_wait: Duration,
    /// Key frames after which nothing refers to anything before.
    pub closed_keys: u64,
    /// Key frames of open groups of pictures.
    pub open_keys: u64,
    /// Points of intra refresh, from which on the picture becomes right after some frames.
    pub recovery_points: u64,
    /// Pictures at the beginnings of chunks that need the chunk before to be decoded.
    pub leading_pictures: u64,
    /// Chunks that would begin inside a group of pictures.
    pub dependent_chunks: u64,
    /// Time between frames.
    pub intervals: Distribution<Duration>,
    /// How many of the intervals differ from the median by more than a tenth of it, and a millisecond (to which Matroska rounds).
    pub uneven_intervals: u64,
    /// By how much the source's clock jumped, at each of its steps; negative where it was set back. Seconds.
    pub steps: Vec<f64>,
    /// Packets that could not be used: no key frame had been seen.
    pub lost: u64,
    /// Packets that the source itself calls damaged.
    pub corrupt: u64,
    /// Packets in front that are there to be decoded but not shown.
    pub hidden: u64,
    /// Whether timestamps had to be made up.
    pub times_inferred: bool,
}

/// Why reading ended.
#[derive(Debug)]
pub enum EndReason {
    /// The source was over.
    EndOfSource,
    /// As much was read as was asked for.
    Limit,
    /// It could not be read on. What was read until then is in the analyze.
    Failed(ReadError),
}

impl Analysis {
    /// Frames a second, as measured: all frames over all time, steps of the clock not counted.
    pub fn frame_rate(&self) -> f64 {
        per_second(self.frames, self.read)
    }

    /// Bits a second, of the pictures alone.
    pub fn bit_rate(&self) -> f64 {
        per_second(self.bytes * 8, self.read)
    }

    /// Whether the time between frames varies: more than one in a hundred is uneven. Fewer are hiccups.
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

/// Reads a source to its end, or until chunks of `limit` in all would have been cut, at the speed of copying.
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
