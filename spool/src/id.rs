//! The id of a spool.

use std::{fmt, fs, io, path::Path, str::FromStr};

use super::layout;
use crispy_checksum::hex;

/// Digits of an id: 128 random bits.
const LEN: usize = 32;

/// The id of a spool, unique in the world: 32 lower-case hexadecimal digits, random, made once with
/// the spool.
///
/// Descriptors carry it, so that a chunk's absence counts only in the folder that has proved to be
/// its spool, and not in an empty folder where a disk failed to mount. As text it is legal in
/// subjects, in consumers' names and as a key of a key-value bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpoolId(String);

impl SpoolId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn random() -> Self {
        Self(hex(&rand::random::<[u8; LEN / 2]>()))
    }

    /// The id of the spool at `root`.
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(root.join(layout::ID))?;
        let id = text.trim_end().parse();
        id.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Makes an id for a new spool, safe from a power cut before anything else is written there.
    pub(super) fn make(root: &Path) -> io::Result<Self> {
        let (id, path) = (Self::random(), root.join(layout::ID));
        let temporary = layout::temporary(&path);
        crispy_fsync::write(&temporary, format!("{id}\n").as_bytes())?;
        fs::rename(&temporary, &path)?;
        crispy_fsync::sync_folder(root)?;
        Ok(id)
    }
}

impl fmt::Display for SpoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SpoolId {
    type Err = SpoolIdError;

    fn from_str(text: &str) -> Result<Self, SpoolIdError> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == LEN && text.bytes().all(digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SpoolIdError {
                refused: text.chars().take(40).collect(),
            })
        }
    }
}

/// Text that is not a spool id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{refused:?} is not a spool id: {LEN} lower-case hexadecimal digits")]
pub struct SpoolIdError {
    refused: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_no_two_are_equal() {
        let root = tempfile::tempdir().unwrap();
        let made = SpoolId::make(root.path()).unwrap();
        assert_eq!(SpoolId::read(root.path()).unwrap(), made);
        assert_ne!(SpoolId::random(), made);
    }

    #[test]
    fn other_text_is_refused() {
        let good = SpoolId::random().to_string();
        for text in [
            "",
            &good[1..],
            &format!("{good}0"),
            &good.to_uppercase().replace('0', "A"),
            &format!("{}.", &good[1..]),
        ] {
            assert!(text.parse::<SpoolId>().is_err(), "{text:?} was accepted");
        }
    }
}
