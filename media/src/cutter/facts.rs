//! The facts about a cut.

use std::time::Duration;

use crate::time::Timebase;

/// The kind of picture that a chunk begins with: it decides how much decodes without the previous
/// chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StartKind {
    /// No later picture refers to an earlier one: every picture of the chunk decodes alone.
    Idr,
    /// A key frame of an open group of pictures.
    Open {
        /// Pictures shown before the key frame but stored after it, which need the previous chunk.
        leading: u32,
    },
    /// No key frame, but the picture becomes correct after some frames (intra refresh).
    RecoveryPoint,
    /// The middle of a group of pictures.
    None,
}

/// A chunk's interval, and the effects of the cut.
///
/// Within a run, intervals are gapless: one chunk's `end_ticks` is the next one's `start_ticks`.
/// Ticks are the source's own timestamps, unwrapped, and never rounded. Missing packets are counted
/// here, never hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutFacts {
    /// Number of the unbroken timeline of the source: 0, then one more after every jump in time.
    pub run: u32,
    /// On the first chunk of a run after a jump: distance in ticks from the end of the previous run
    /// to the start of this one; negative when the clock was set back.
    pub gap_before: Option<i64>,
    /// Time of its first shown frame.
    pub start_ticks: i64,
    /// End of its last frame (exclusive).
    pub end_ticks: i64,
    /// Time of the first shown frame of the run: the zero of the grid of windows.
    pub origin_ticks: i64,
    /// The unit of the ticks.
    pub timebase: Timebase,
    /// The requested length.
    pub nominal_window: Duration,
    /// Video packets in the file, without hidden ones.
    pub packets: u32,
    /// Frames in these packets; fewer than packets where each field of a picture has its own.
    pub frames: u32,
    /// Key frames among them.
    pub key_frames: u32,
    /// Kind of its first picture.
    pub start: StartKind,
    /// Packets in front that are decoded but not shown (the source has an edit list).
    pub hidden_preroll: u32,
    /// Unusable packets before this chunk: no key frame had come yet.
    pub lost: u32,
    /// Packets that the source itself marks as damaged. They are in the file.
    pub corrupt: u32,
    /// True if any timestamp was inferred because the source gave none.
    pub pts_inferred: bool,
    /// True if the duration of the last frame was inferred from its neighbours.
    pub end_inferred: bool,
    /// True if it begins inside a group of pictures, and so decodes only after the previous chunk.
    pub depends_on_previous: bool,
}

impl CutFacts {
    /// The length of the interval in ticks.
    pub fn duration_ticks(&self) -> i64 {
        self.end_ticks - self.start_ticks
    }

    /// The length of the interval, rounded down to a nanosecond.
    pub fn duration(&self) -> Duration {
        self.timebase.duration(self.duration_ticks())
    }
}
