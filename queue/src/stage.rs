//! The stages that take work from a stream.

use std::{fmt, str::FromStr};

use crate::Stream;

/// A stage with a durable consumer that all its workers share; its name is the consumer's, and the token in a dead letter's subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Takes chunks and run states to the bucket.
    Uploader,
    /// Reads uploaded chunks back.
    Inspector,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 2] = [Self::Uploader, Self::Inspector];

    /// The durable's name, which is the stage's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uploader => "uploader",
            Self::Inspector => "inspector",
        }
    }

    /// The stream that the stage takes its work from.
    pub fn source(self) -> Stream {
        match self {
            Self::Uploader => Stream::Chunks,
            Self::Inspector => Stream::Uploaded,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Stage {
    type Err = StageError;

    fn from_str(text: &str) -> Result<Self, StageError> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.as_str() == text)
            .ok_or_else(|| StageError {
                refused: text.chars().take(80).collect(),
            })
    }
}

/// A word that names no stage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{refused:?} is not a stage: uploader or inspector")]
pub struct StageError {
    refused: String,
}
