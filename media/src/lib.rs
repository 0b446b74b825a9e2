//! Cuts video into chunks: files that play alone, each with the exact facts about it.
//!
//! ```text
//!   camera, URL, file ──► source ──► cutter ──► muxer ──► Chunk { bytes, cut, format, layout }
//!                         packets    pure:      index
//!                         in decode  cut        first,      a chunk's bytes ──► probe ──► Probe
//!                         order      points     in memory                       (inspector)
//! ```
//!
//! [`Chunks`] runs the whole path. Nothing is decoded: packets are copied, and a chunk begins where
//! decoding can begin. [`probe()`] is the reverse: the facts about a chunk, from its bytes alone.
//! [`analyze()`] reads a source as a recording does, without writing a chunk. `audio` assigns audio
//! packets to cuts, and is pure like the cutter.
//!
//! Ticks are the source's own timestamps, and the intervals of a run are gapless. [`CutFacts`]
//! declares every timestamp or duration that was inferred, every unusable packet and every jump of
//! the source's clock.
//!
//! This crate alone links FFmpeg. No FFmpeg type is in a public signature, and every unsafe line is
//! in `ffi`. Calls block; a [`StopFlag`] ends them from another thread. Errors never show a
//! password.
#![warn(missing_docs)]

mod analysis;
mod audio;
mod bitstream;
mod boxes;
mod chunk;
mod chunks;
mod codec;
mod creation_time;
mod cutter;
mod error;
mod ffi;
mod format;
#[cfg(test)]
mod fuzz;
mod input;
mod location;
mod muxer;
mod options;
mod probe;
mod source;
mod stop;
mod time;
mod truncation;
mod video;

pub use analysis::{Analysis, Distribution, EndReason, analyze};
pub use audio::{AudioFormat, AudioTrack};
pub use chunk::{ByteLayout, Chunk};
pub use chunks::Chunks;
pub use cutter::{CutFacts, StartKind};
pub use error::{OpenError, ProbeError, ReadError};
pub use ffi::LibavError;
pub use input::Input;
pub use location::redact;
pub use muxer::muxer_version;
pub use options::{Audio, OpenOptions};
pub use probe::{Probe, probe};
pub use stop::StopFlag;
pub use time::Timebase;
pub use video::{Codec, ColorDescription, Container, VideoFormat};
