//! Bytes that the caller fetches.

use std::io::{Read, Seek};
use std::time::Duration;

use crate::ffi::{LibavError, Reader};

/// A source's bytes from a reader, instead of from a path or URL that FFmpeg opens itself.
///
/// * Nothing else is opened, for any bytes: a playlist or list of files in them cannot
///   make FFmpeg read this machine's files or network.
/// * A reader's error ends the recording with that very error, never with a shorter recording.
///   Errors of the kinds `NotFound`, `PermissionDenied` and `TimedOut` become those of
///   [`OpenError`](crate::OpenError) and [`ReadError`](crate::ReadError); all others become `Io`.
/// * The source counts as repeatable, like a file.
///
/// A reader that blocks must check [`OpenOptions::stop`](crate::OpenOptions::stop) and keep
/// [`OpenOptions::timeout`](crate::OpenOptions::timeout) itself.
pub struct Input {
    reader: Reader,
    /// In bytes, if known.
    length: Option<u64>,
    duration: Option<Duration>,
}

impl Input {
    /// `length` bytes that can be read in any order.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn seekable<R: Read + Seek + Send + 'static>(
        reader: R,
        length: u64,
    ) -> Result<Input, LibavError> {
        let reader = Reader::new(reader, length)?;
        Ok(Input {
            reader,
            length: Some(length),
            duration: None,
        })
    }

    /// Bytes that come once, from first to last. A file with its index at the end (many mp4) cannot
    /// be read this way.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn sequential<R: Read + Send + 'static>(reader: R) -> Result<Input, LibavError> {
        let reader = Reader::sequential(reader)?;
        Ok(Input {
            reader,
            length: None,
            duration: None,
        })
    }

    /// Sets the duration, for bytes that do not contain it (a playlist does).
    #[must_use]
    pub fn with_duration(mut self, duration: Duration) -> Input {
        self.duration = Some(duration);
        self
    }

    pub(crate) fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// In bytes; `None` for a sequential input, which cannot be checked before it is read.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(crate) fn reader(&mut self) -> &mut Reader {
        &mut self.reader
    }

    pub(crate) fn into_reader(self) -> Reader {
        self.reader
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input")
            .field("length", &self.length)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}
