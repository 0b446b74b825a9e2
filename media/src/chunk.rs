//! A chunk: a playable file of its own, and the exact facts about it.

use std::ops::Range;
use std::sync::Arc;

use crate::audio::AudioTrack;
use crate::cutter::CutFacts;
use crate::video::{Container, VideoFormat};

/// A stretch of a stream as a file of its own.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// Format of its pictures.
    pub format: Arc<VideoFormat>,
    /// File format.
    pub container: Container,
    /// Interval and contents.
    pub cut: CutFacts,
    /// Its audio; `None` if audio is not kept, or its interval has none.
    pub audio: Option<AudioTrack>,
    /// Audio packets since the previous chunk that belong to no picture, and so are in no chunk.
    pub audio_dropped: u32,
    /// Byte ranges of index and first key frame.
    pub layout: ByteLayout,
}

/// Byte ranges that a reader needs first.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ByteLayout {
    /// From the first byte to the end of the index: enough to know the contents of the file. Empty
    /// where the container has no index.
    pub index: Range<u64>,
    /// The first key frame's coded picture; empty if there is none.
    pub first_key_frame: Range<u64>,
}
