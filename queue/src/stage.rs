//! The stages, which take messages from a stream.

use std::{fmt, str::FromStr};

use crispy_fault::Fault;

use crate::Stream;

/// A stage with a durable consumer that all its workers share. Its name is the consumer's, and the
/// token in a dead letter's subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Uploads chunks and run states to the bucket.
    Uploader,
    /// Reads uploaded chunks back.
    Inspector,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 2] = [Self::Uploader, Self::Inspector];

    /// The name of the stage and its consumer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uploader => "uploader",
            Self::Inspector => "inspector",
        }
    }

    /// The stream with the stage's messages.
    pub fn input(self) -> Stream {
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
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        Self::ALL
            .into_iter()
            .find(|stage| stage.as_str() == text)
            .ok_or_else(|| {
                let refused: String = text.chars().take(80).collect();
                Fault::rejected(format!("{refused:?} is not a stage: uploader or inspector"))
            })
    }
}
