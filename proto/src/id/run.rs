//! Run ids.

use std::{error::Error, fmt, str::FromStr};

/// Crockford's base 32, as in ULIDs: without I, L, O and U, and in ASCII order, so that text sorts
/// like the numbers.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// One unbroken timeline of one source: 26 characters like a ULID (<https://github.com/ulid/spec>).
///
/// 48 bits are its start in Unix milliseconds, so that runs sort by time; 80 bits are its identity.
/// Those of a live run are random. Those of a file are a hash over the file and the settings that
/// cut it, so that the same file ingested again is the same run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run(u128);

impl Run {
    /// Number of characters of its text.
    pub const LEN: usize = 26;

    /// The run that began at `start_ms` Unix milliseconds (modulo 2^48, the year 10889).
    pub fn new(start_ms: u64, identity: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&start_ms.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&identity);
        Self(u128::from_be_bytes(bytes))
    }

    /// Its start, in Unix milliseconds.
    pub fn start_ms(&self) -> u64 {
        (self.0 >> 80) as u64
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = (0..Self::LEN)
            .rev()
            .map(|digit| char::from(ALPHABET[(self.0 >> (5 * digit)) as usize & 31]))
            .collect();
        f.pad(&text)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Run {
    type Err = RunError;

    fn from_str(text: &str) -> Result<Self, RunError> {
        let refuse = || RunError {
            refused: text.chars().take(40).collect(),
        };
        // 26 digits are 130 bits: a first digit above 7 does not fit into 128.
        if text.len() != Self::LEN || text.as_bytes()[0] > b'7' {
            return Err(refuse());
        }
        let digit = |byte| ALPHABET.iter().position(|&letter| letter == byte);
        text.bytes()
            .try_fold(0, |value: u128, byte| {
                Some(value << 5 | digit(byte)? as u128)
            })
            .map(Self)
            .ok_or_else(refuse)
    }
}

/// Text that is not a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError {
    refused: String,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a run: 26 characters of Crockford's base 32, upper case",
            self.refused
        )
    }
}

impl Error for RunError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_of_another_form_is_refused() {
        let good = Run::new(1_763_839_803_000, [7; 10]).to_string();
        let bad = [
            String::new(),
            good[1..].to_owned(),
            format!("{good}0"),
            good.to_lowercase(),
            format!("8{}", &good[1..]),
            format!("{}U", &good[1..]),
            format!("{}é", &good[2..]),
        ];
        for text in bad {
            assert!(text.parse::<Run>().is_err(), "{text:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn parsing_and_printing_are_inverse(start in 0..1_u64 << 48, identity: [u8; 10]) {
            let run = Run::new(start, identity);
            prop_assert_eq!(run.to_string().parse::<Run>(), Ok(run));
            prop_assert_eq!(run.to_string().len(), Run::LEN);
            prop_assert_eq!(run.start_ms(), start);
        }

        #[test]
        fn parsed_text_prints_unchanged(text in "[0-9A-Z]{26}") {
            if let Ok(run) = text.parse::<Run>() {
                prop_assert_eq!(run.to_string(), text);
            }
        }

        #[test]
        fn text_sorts_by_time(a in 0..1_u64 << 48, b in 0..1_u64 << 48, identity: [u8; 10], other: [u8; 10]) {
            prop_assume!(a < b);
            prop_assert!(Run::new(a, identity).to_string() < Run::new(b, other).to_string());
        }
    }
}
