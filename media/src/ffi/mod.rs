//! Every unsafe line of the crate: owned, safe handles over libavformat's C structures.
//!
//! The rest of the crate sees four things: a [`Demuxer`] that reads packets, a [`Packet`] that owns its payload, the
//! [`Parameters`] of a stream, and a [`Muxer`] that writes into memory. Each owns what it points to and frees it once;
//! none hands out a pointer. Fields of C structures are read here and nowhere else, since they are what changes between
//! versions of FFmpeg (5.1, 7.1 and 9 are built against).
#![allow(unsafe_code)] // the one place: what is here exists to call C

mod audio;
mod demuxer;
mod dictionary;
mod failure;
mod interrupt;
mod memory_file;
mod muxer;
mod packet;
mod parameters;
mod reader;
mod side_data;
mod stream;

pub(crate) use demuxer::Demuxer;
pub use failure::LibavError;
pub(crate) use interrupt::Watch;
pub(crate) use muxer::{Muxer, Stamp};
pub(crate) use packet::Packet;
pub(crate) use parameters::{CodecId, Parameters};
pub(crate) use reader::{Failure, Reader};
pub(crate) use stream::Stream;

use std::ffi::CStr;
use std::sync::Once;

use ffmpeg_next::ffi as av;

/// Makes libav keep its messages to itself: what matters comes back as errors, and a library does not write to stderr.
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
    // SAFETY: not null, and by the caller's word NUL-terminated and never freed.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}
