//! Chunk ids.

use std::{error::Error, fmt, str::FromStr};

use super::{CameraId, NameError, Run, RunError};
use crate::v1;

/// The highest sequence: ten digits, so that keys sort. One chunk a second reaches it in 317 years.
pub const MAX_SEQUENCE: u64 = 9_999_999_999;

/// A chunk, unique in the whole system. Printed and parsed as `site/camera/run/sequence`, the
/// sequence with ten digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId {
    /// Its camera.
    pub camera: CameraId,
    /// Its run.
    pub run: Run,
    /// Its number in the run, from 0 to [`MAX_SEQUENCE`].
    pub sequence: u64,
}

impl ChunkId {
    /// Parses the id of a message.
    pub fn from_wire(id: Option<&v1::ChunkId>) -> Result<Self, ChunkIdError> {
        let id = id.ok_or(ChunkIdError::Missing)?;
        if id.sequence > MAX_SEQUENCE {
            return Err(ChunkIdError::Sequence(id.sequence.to_string()));
        }
        Ok(Self {
            camera: CameraId::from_wire(&id.site, &id.camera)?,
            run: id.run.parse()?,
            sequence: id.sequence,
        })
    }

    /// The id for a message.
    pub fn to_wire(&self) -> v1::ChunkId {
        v1::ChunkId {
            site: self.camera.site.to_string(),
            camera: self.camera.camera.to_string(),
            run: self.run.to_string(),
            sequence: self.sequence,
        }
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{:010}", self.camera, self.run, self.sequence)
    }
}

impl FromStr for ChunkId {
    type Err = ChunkIdError;

    fn from_str(text: &str) -> Result<Self, ChunkIdError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [site, camera, run, sequence] = parts[..] else {
            return Err(ChunkIdError::Form(text.chars().take(200).collect()));
        };
        Ok(Self {
            camera: CameraId::from_wire(site, camera)?,
            run: run.parse()?,
            sequence: parse_sequence(sequence)?,
        })
    }
}

/// Parses exactly ten digits, the output of `{:010}`, so that no two texts name one chunk.
pub(super) fn parse_sequence(text: &str) -> Result<u64, ChunkIdError> {
    let digits = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| ChunkIdError::Sequence(text.chars().take(40).collect()))
}

/// Text or a message without a valid chunk id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChunkIdError {
    /// The message has no id.
    Missing,
    /// The text has not four parts.
    Form(String),
    /// Its site or camera is not a name.
    Name(NameError),
    /// Its run is not a run.
    Run(RunError),
    /// Its sequence is not ten digits.
    Sequence(String),
}

impl fmt::Display for ChunkIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("the message has no chunk id"),
            Self::Form(text) => write!(f, "{text:?} is not a chunk id: site/camera/run/sequence"),
            Self::Name(_) => f.write_str("chunk id"),
            Self::Run(_) => f.write_str("chunk id"),
            Self::Sequence(text) => write!(f, "{text:?} is not a sequence: ten digits"),
        }
    }
}

impl Error for ChunkIdError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Name(error) => Some(error),
            Self::Run(error) => Some(error),
            _ => None,
        }
    }
}

impl From<NameError> for ChunkIdError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

impl From<RunError> for ChunkIdError {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_id() -> impl Strategy<Value = ChunkId> {
        let name = "[a-z0-9][a-z0-9_-]{0,62}";
        (
            name,
            name,
            0..1_u64 << 48,
            any::<[u8; 10]>(),
            0..=MAX_SEQUENCE,
        )
            .prop_map(|(site, camera, start, identity, sequence)| ChunkId {
                camera: CameraId::from_wire(&site, &camera).unwrap(),
                run: Run::new(start, identity),
                sequence,
            })
    }

    proptest! {
        #[test]
        fn parsing_and_printing_are_inverse(id in any_id()) {
            prop_assert_eq!(id.to_string().parse::<ChunkId>(), Ok(id.clone()));
            prop_assert_eq!(ChunkId::from_wire(Some(&id.to_wire())), Ok(id));
        }
    }

    #[test]
    fn ids_of_another_form_are_refused() {
        let run = Run::new(0, [0; 10]);
        for text in [
            String::new(),
            format!("demo/front/{run}"),
            format!("demo/front/{run}/3"),
            format!("demo/front/{run}/+000000003"),
            format!("demo/front/{run}/0000000003/"),
            format!("demo/../{run}/0000000003"),
        ] {
            assert!(text.parse::<ChunkId>().is_err(), "{text:?} was accepted");
        }
        let too_far = v1::ChunkId {
            sequence: MAX_SEQUENCE + 1,
            ..ChunkId::to_wire(&format!("a/b/{run}/0000000000").parse().unwrap())
        };
        assert!(ChunkId::from_wire(Some(&too_far)).is_err());
        assert_eq!(ChunkId::from_wire(None), Err(ChunkIdError::Missing));
    }
}
