//! The failure to open a bucket, by the exit code that follows from it.

use std::io;

/// A bucket that could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// An unknown scheme.
    #[error("bucket {url}: this version knows {known}")]
    UnknownScheme {
        /// The URL, without credentials.
        url: String,
        /// The schemes it knows.
        known: String,
    },
    /// Text that names no bucket.
    #[error("{url:?} does not name a bucket: {why}")]
    Malformed {
        /// The text, without credentials.
        url: String,
        /// The mistake, and its correction.
        why: String,
    },
    /// Unknown options, or options that do not fit together.
    #[error("bucket {url}: {why}")]
    Options {
        /// The bucket.
        url: String,
        /// The mistake, and its correction.
        why: String,
    },
    /// The folder cannot be created or written.
    #[error("bucket {url} cannot be written")]
    NotWritable {
        /// The bucket.
        url: String,
        /// The operating system's error.
        source: io::Error,
    },
}
