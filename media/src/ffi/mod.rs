//! Owned, safe handles over libavformat's C structures: every unsafe line of the crate.
//!
//! ```text
//!   Reader ──► Demuxer ──► Stream ──► Parameters ──► Muxer ──► MemoryFile ──► bytes
//!              (Watch)       └──────► Packet ─────────┘
//! ```
//!
//! Each handle owns its C structure and frees it once; none exposes a pointer. Fields of C
//! structures are read only here, since they change between versions of FFmpeg (5.1, 7.1 and 9 are
//! supported).
//!
//! The safe layer of `ffmpeg-next` 9.0 does not fit: its `StreamIo` reports a reader's
//! `UnexpectedEof` as a normal end, which would shorten a recording, keeps no other error than a
//! number, turns a query for the size into two seeks, and copies every payload through a buffer
//! once more.
#![allow(unsafe_code)] // This module alone calls C.

mod demuxer;
mod dictionary;
mod error;
mod interrupt;
mod memory_file;
mod muxer;
mod packet;
mod parameters;
mod reader;
mod side_data;
mod stream;

pub(crate) use demuxer::Demuxer;
pub use error::LibavError;
pub(crate) use interrupt::Watch;
pub(crate) use muxer::{Muxer, Stamp};
pub(crate) use packet::Packet;
pub(crate) use parameters::{CodecId, Parameters};
pub(crate) use reader::{Failure, Reader};
pub(crate) use stream::Stream;

use std::ffi::CStr;
use std::sync::Once;

use ffmpeg_sys_next as av;

/// Silences libav's own log: errors are returned, and a library does not write to stderr.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: sets one integer; libav documents it as callable at any time.
        unsafe { av::av_log_set_level(av::AV_LOG_QUIET) }
    });
}

/// libavformat's version, such as `59.27.100`.
pub(crate) fn libavformat_version() -> String {
    // SAFETY: takes nothing and returns a number.
    let version = unsafe { av::avformat_version() };
    format!(
        "{}.{}.{}",
        version >> 16,
        (version >> 8) & 0xff,
        version & 0xff
    )
}

/// A static C string of libav as text; `None` for null.
///
/// # Safety
/// `text` must be null or point to a NUL-terminated string that is never freed.
unsafe fn static_text(text: *const std::ffi::c_char) -> Option<&'static str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and by the caller's contract NUL-terminated and never freed.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}
