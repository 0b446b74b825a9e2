//! Video in, chunks out: each a file that plays alone, with the exact facts about it.
//!
//! ```text
//!   camera, URL, file ──► source ──► cutter ──► muxer ──► Chunk { bytes, cut, format, layout }
//!                         packets    pure:      index
//!                         in order   where to   first,      a chunk's bytes ──► probe ──► Probe
//!                         of coding  cut        in memory                       (inspector)
//! ```
//!
//! [`analyze()`] reads a source as a recording does and writes nothing: what it is, and how it would be cut.
//!
//! Nothing is decoded: packets are copied, and a chunk begins where decoding can. [`Chunks`] does all of it; [`probe()`]
//! is the other side, for whoever wants to know from the bytes alone what a chunk is.
//!
//! Time does not lie here. Ticks are the source's own timestamps; the intervals of a run are gapless; where a timestamp
//! or duration had to be made up, packets could not be used, or the source's clock jumped, [`CutFacts`] says so.
//!
//! With audio kept, `audio` gives each cut what is heard in its time: pure as well.
//!
//! The only crate that links FFmpeg, and no type of it is in a public signature; every unsafe line is in `ffi`. Calls
//! block, and can be ended from another thread by a [`StopFlag`]. Errors never show a password.
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
mod describe;
mod error;
mod ffi;
#[cfg(test)]
mod hostile;
mod input;
mod location;
mod muxer;
mod options;
mod probe;
mod segment;
mod source;
mod stop;
mod time;
mod video;
mod wholeness;

pub use analysis::{Analysis, Distribution, EndReason, analyze};
pub use audio::{AudioFormat, AudioTrack};
pub use chunk::{ByteLayout, Chunk, CutFacts, StartKind};
pub use chunks::Chunks;
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
