//! What a caller of a bucket can meet, sorted by what it does next.

use std::io;

use super::{
    fault::{Cause, Fault},
    location::Refused,
};

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
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The bucket takes nothing now: it is missing, full, read-only, or not ours to write. True of every chunk, so wait.
    #[error("put {object}: the bucket cannot be written now")]
    Unavailable {
        /// URL of the object.
        object: String,
        /// What the store said.
        source: Cause,
    },
    /// It did not work this once. Try again: if it did work after all, the next put says so.
    #[error("put {object}")]
    Transient {
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
            Fault::Unavailable(source) => Self::Unavailable { object, source },
            Fault::Transient(source) => Self::Transient { object, source },
            Fault::Invalid(source) => Self::Invalid { object, source },
            // A put finds no object missing; were a store to say so, it is the bucket that is.
            Fault::Absent => Self::Unavailable {
                object,
                source: "the store says that it is not there".into(),
            },
        }
    }
}

/// An object that could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// There is no such object.
    #[error("get {object}: there is no such object")]
    Absent {
        /// URL of the object.
        object: String,
    },
    /// The bucket gives nothing now: it is missing, or not ours to read. True of every object, so wait.
    #[error("get {object}: the bucket cannot be read now")]
    Unavailable {
        /// URL of the object.
        object: String,
        /// What the store said.
        source: Cause,
    },
    /// It did not work this once. Try again.
    #[error("get {object}")]
    Transient {
        /// URL of the object.
        object: String,
        /// What the store said.
        source: Cause,
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
            Fault::Unavailable(source) => Self::Unavailable { object, source },
            Fault::Transient(source) => Self::Transient { object, source },
            Fault::Invalid(source) => Self::Invalid { object, source },
        }
    }
}
