//! Video that somebody else fetches.

use std::io::{Read, Seek};
use std::time::Duration;

use crate::ffi::{LibavError, Reader};

/// The bytes of a source, from a reader instead of from a path or URL that FFmpeg opens itself.
///
/// * Whatever the bytes say, nothing else is opened: a playlist or list of files in them cannot make this machine's files or
///   network be read.
/// * A reader's error ends the recording with that very error, never with a shorter recording: errors of the kinds `NotFound`,
///   `PermissionDenied` and `TimedOut` become those of [`OpenError`](crate::OpenError) and [`ReadError`](crate::ReadError), and
///   all others become `Io`.
/// * The source is taken for one that can be read again, as a file can.
///
/// A reader that blocks has to look at [`OpenOptions::stop`](crate::OpenOptions::stop) and keep [`OpenOptions::timeout`](crate::OpenOptions::timeout)
/// itself.
pub struct Input {
    reader: Reader,
    /// In bytes, where it is known.
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

    /// Bytes that come once, from first to last. What keeps its index at its end (many mp4) cannot be read so.
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

    /// Tells how long it lasts, where the bytes themselves do not: a playlist knows.
    #[must_use]
    pub fn with_duration(mut self, duration: Duration) -> Input {
        self.duration = Some(duration);
        self
    }

    pub(crate) fn duration(&self) -> Option<Duration> {
        self.duration
    }

    /// In bytes; `None` where it comes once, so that nothing can be looked at before it is read.
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
