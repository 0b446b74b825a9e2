//! What a caller of a bucket can meet, sorted by what it does next.

use std::{io, time::Duration};

use super::{
    fault::{Cause, Fault},
    location::Refused,
};

/// The longest wait that a store's `Retry-After` is believed for. A maintenance page may say an hour: whoever waits that long hears an hour
/// late that the store is back, while a probe every two seconds costs it nothing.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// A bucket that could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A scheme that this version does not speak.
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
        /// What is wrong with it, and what would be right.
        why: String,
    },
    /// Options that it does not take, or that do not fit together.
    #[error("bucket {url}: {why}")]
    Options {
        /// The bucket.
        url: String,
        /// What is wrong with them, and what would be right.
        why: String,
    },
    /// The folder cannot be made or written.
    #[error("bucket {url} cannot be written")]
    NotWritable {
        /// The bucket.
        url: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl From<Refused> for OpenError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::UnknownScheme { url, known } => Self::UnknownScheme { url, known },
            Refused::Malformed { url, why } => Self::Malformed { url, why },
        }
    }
}

/// An object that was not written, or not surely.
///
/// | error | true of | next |
/// |---|---|---|
/// | Unavailable | every object | wait until [`check_writable`](super::Bucket::check_writable) succeeds |
/// | Transient | this once: the bucket's trouble or this object's, nobody can tell yet | probe, then try again: if it did work after all, the next put says so |
/// | Damaged | these bytes, as they arrived | read them again from where they came, and send them again |
/// | Invalid | this object, however often it is sent | give it up |
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The bucket takes nothing now: it is missing, full, read-only, out of reach, or not ours to write. True of every object, so wait.
    #[error("put {object}: the bucket cannot be written now")]
    Unavailable {
        /// URL of the object.
        object: String,
        /// What the store said, and what to do about it.
        source: Cause,
        /// How long the store asks to be left alone, where it says so; at most [`MAX_RETRY_AFTER`].
        retry_after: Option<Duration>,
    },
    /// It did not work this once: an error of the server, too many requests, no answer in time, a connection that broke.
    #[error("put {object}")]
    Transient {
        /// URL of the object.
        object: String,
        /// What the store said.
        source: Cause,
        /// As above.
        retry_after: Option<Duration>,
    },
    /// The store refused the bytes, because they are not those of the checksum that was sent with them.
    #[error("put {object}: the bytes that arrived do not have their checksum")]
    Damaged {
        /// URL of the object.
        object: String,
        /// What the store said.
        source: Cause,
    },
    /// This object cannot be put, however often one tries.
    #[error("put {object}: this can never be stored")]
    Invalid {
        /// URL of the object.
        object: String,
        /// Why not.
        source: Cause,
    },
}

impl PutError {
    pub(super) fn new(object: String, fault: Fault) -> Self {
        match fault {
            Fault::Unavailable(source, retry_after) => Self::Unavailable {
                object,
                source,
                retry_after,
            },
            Fault::Transient(source, retry_after) => Self::Transient {
                object,
                source,
                retry_after,
            },
            Fault::Damaged(source) => Self::Damaged { object, source },
            Fault::Invalid(source) => Self::Invalid { object, source },
            // A put finds no object missing; were a store to say so, it is the bucket that is.
            Fault::Absent => Self::Unavailable {
                object,
                source: "the store says that it is not there".into(),
                retry_after: None,
            },
        }
    }

    /// How long the store asks to be left alone, where it says so; at most [`MAX_RETRY_AFTER`].
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } | Self::Transient { retry_after, .. } => {
                *retry_after
            }
            Self::Damaged { .. } | Self::Invalid { .. } => None,
        }
    }
}

/// An object that could not be read, or not be asked for. As with [`PutError`], the variants are what a caller does next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// There is no such object.
    #[error("get {object}: there is no such object")]
    Absent {
        /// URL of the object.
        object: String,
    },
    /// The bucket gives nothing now: it is missing, out of reach, or not ours to read. True of every object, so wait.
    #[error("get {object}: the bucket cannot be read now")]
    Unavailable {
        /// URL of the object.
        object: String,
        /// What the store said, and what to do about it.
        source: Cause,
        /// How long the store asks to be left alone, where it says so; at most [`MAX_RETRY_AFTER`].
        retry_after: Option<Duration>,
    },
    /// It did not work this once. Try again.
    #[error("get {object}")]
    Transient {
        /// URL of the object.
        object: String,
        /// What the store said.
        source: Cause,
        /// As above.
        retry_after: Option<Duration>,
    },
    /// This can never be read: no key, or beyond the object's end.
    #[error("get {object}: this can never be read")]
    Invalid {
        /// URL of the object.
        object: String,
        /// Why not.
        source: Cause,
    },
}

impl GetError {
    pub(super) fn new(object: String, fault: Fault) -> Self {
        match fault {
            Fault::Absent => Self::Absent { object },
            Fault::Unavailable(source, retry_after) => Self::Unavailable {
                object,
                source,
                retry_after,
            },
            // No bytes are sent with a question; were they damaged on their way here, the next try may bring them whole.
            Fault::Damaged(source) => Self::Transient {
                object,
                source,
                retry_after: None,
            },
            Fault::Transient(source, retry_after) => Self::Transient {
                object,
                source,
                retry_after,
            },
            Fault::Invalid(source) => Self::Invalid { object, source },
        }
    }

    /// How long the store asks to be left alone, where it says so; at most [`MAX_RETRY_AFTER`].
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } | Self::Transient { retry_after, .. } => {
                *retry_after
            }
            Self::Absent { .. } | Self::Invalid { .. } => None,
        }
    }
}
