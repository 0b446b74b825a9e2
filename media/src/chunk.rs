//! What comes out: a playable file of its own, and the exact facts about it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::audio::AudioTrack;
use crate::time::Timebase;
use crate::video::{Container, VideoFormat};

/// A stretch of a stream as a file of its own.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// What its pictures are.
    pub format: Arc<VideoFormat>,
    /// What kind of file it is.
    pub container: Container,
    /// When it begins and ends, and what is in it.
    pub cut: CutFacts,
    /// What is heard in it; `None` where audio is not kept, or there is none in its interval.
    pub audio: Option<AudioTrack>,
    /// Packets of audio since the chunk before that no picture goes with: they are heard in no chunk.
    pub audio_dropped: u32,
    /// Where in the file things are.
    pub layout: ByteLayout,
}

/// Where in the bytes a reader finds what it needs first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ByteLayout {
    /// From the first byte to the end of the index: all that is needed to know what the file holds. Empty where the
    /// container has no index.
    pub index: Range<u64>,
    /// The first key frame's coded picture; empty where there is none.
    pub first_key_frame: Range<u64>,
}

/// With what picture a chunk begins, and so what of it can be decoded without the chunk before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StartKind {
    /// A picture after which nothing refers to anything before it: every picture of the chunk decodes alone.
    Idr,
    /// A key frame of an open group of pictures.
    Open {
        /// How many pictures, shown before the key frame but stored after it, need the chunk before to be decoded.
        leading: u32,
    },
    /// No key frame, but from here on the picture becomes right after some frames (intra refresh).
    RecoveryPoint,
    /// In the middle of a group of pictures.
    None,
}

/// When a chunk begins and ends, and what the cut did.
///
/// Within a run, intervals are gapless: one chunk's `end_ticks` is the next one's `start_ticks`. Ticks are the source's
/// own timestamps, unwrapped, and never rounded. What is missing is counted here, never hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutFacts {
    /// Which unbroken timeline of the source this belongs to: 0, then one more after every jump in time.
    pub run: u32,
    /// On the first chunk of a run after a jump: how far the source's clock moved from the end of the run before to the
    /// start of this one, in ticks; negative when it was set back.
    pub gap_before: Option<i64>,
    /// When its first shown frame is shown.
    pub start_ticks: i64,
    /// When its last frame's time is over (exclusive).
    pub end_ticks: i64,
    /// When the first shown frame of the run is shown: the zero of the grid of windows.
    pub origin_ticks: i64,
    /// The unit of the ticks.
    pub timebase: Timebase,
    /// The length that was asked for.
    pub nominal_window: Duration,
    /// Video packets in the file, hidden ones not counted.
    pub packets: u32,
    /// Frames they make; fewer than packets where each field of a picture has its own.
    pub frames: u32,
    /// Key frames among them.
    pub key_frames: u32,
    /// With what picture it begins.
    pub start: StartKind,
    /// Packets in front that are there to be decoded but not shown (the source has an edit list).
    pub hidden_preroll: u32,
    /// Packets that came before this chunk and could not be used: no key frame had been seen.
    pub lost: u32,
    /// Packets that the source itself calls damaged. They are in the file.
    pub corrupt: u32,
    /// Whether any timestamp had to be made up, because the source gave none.
    pub pts_inferred: bool,
    /// Whether the duration of the last frame had to be taken from its neighbours.
    pub end_inferred: bool,
    /// Whether it begins inside a group of pictures, so that it decodes only when joined to the chunk before.
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
