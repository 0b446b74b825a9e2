//! Error numbers of libav.

use std::ffi::{CStr, c_char, c_int};
use std::fmt;

use ffmpeg_sys_next as av;

/// An error number of libav or of the operating system.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LibavError(c_int);

impl LibavError {
    /// Memory ran out: a null from an allocator.
    pub(super) const NO_MEMORY: LibavError = LibavError(-12);

    /// The bytes are invalid.
    pub(crate) const INVALID_DATA: LibavError = LibavError(av::AVERROR_INVALIDDATA);

    /// `Ok` with the value for a non-negative answer.
    pub(super) fn check(answer: c_int) -> Result<c_int, LibavError> {
        if answer < 0 {
            Err(LibavError(answer))
        } else {
            Ok(answer)
        }
    }

    /// The operating system's error number, if it is one of those.
    pub(crate) fn os(self) -> Option<i32> {
        // libav's own are made of four letters, and so far below any errno.
        (self.0 > -4096).then_some(-self.0)
    }

    /// The source is over.
    pub(crate) fn is_end(self) -> bool {
        self.0 == av::AVERROR_EOF
    }

    /// The bytes violate the format.
    pub(crate) fn is_invalid_data(self) -> bool {
        self.0 == av::AVERROR_INVALIDDATA
    }

    /// A file or address does not exist.
    pub(crate) fn is_not_found(self) -> bool {
        self.0 == av::AVERROR_HTTP_NOT_FOUND || self.os() == Some(2)
    }

    /// A server or the system refuses access.
    pub(crate) fn is_denied(self) -> bool {
        [av::AVERROR_HTTP_UNAUTHORIZED, av::AVERROR_HTTP_FORBIDDEN].contains(&self.0)
            || self.os() == Some(13)
    }

    /// The operation timed out.
    pub(crate) fn is_timeout(self) -> bool {
        self.os() == Some(110)
    }
}

impl fmt::Display for LibavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0 as c_char; 128];
        // SAFETY: the buffer is ours and its length is given; libav always ends it with a NUL.
        let text = unsafe {
            av::av_strerror(self.0, text.as_mut_ptr(), text.len());
            CStr::from_ptr(text.as_ptr())
        };
        write!(f, "{} ({})", text.to_string_lossy().to_lowercase(), self.0)
    }
}

impl fmt::Debug for LibavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LibavError({self})")
    }
}

impl std::error::Error for LibavError {}

impl From<LibavError> for std::io::Error {
    fn from(failure: LibavError) -> std::io::Error {
        match failure.os() {
            Some(number) => std::io::Error::from_raw_os_error(number),
            None => std::io::Error::other(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_displays_text_and_number() {
        assert_eq!(LibavError(-2).to_string(), "no such file or directory (-2)");
        assert_eq!(LibavError(-2).os(), Some(2));
        assert_eq!(LibavError(av::AVERROR_EOF).os(), None);
        assert!(LibavError(av::AVERROR_EOF).is_end());
    }
}
