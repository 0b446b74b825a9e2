//! The prefix of all our names on a server.

use std::{fmt, str::FromStr};

use crispy_fault::Fault;

/// The first token of every subject, `crispy` by default; `[a-z0-9][a-z0-9_-]{0,31}`.
///
/// It separates two systems that share one NATS account: streams, consumers and subjects of
/// different prefixes never collide.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prefix(String);

impl Prefix {
    /// The longest prefix, in bytes: stream names stay far below 255, the limit of a server's
    /// folder names.
    pub const MAX_LEN: usize = 32;

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("crispy".to_owned())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Prefix {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let starts_well = text.bytes().next().is_some_and(word);
        let legal = text.bytes().all(|b| word(b) || b == b'_' || b == b'-');
        if starts_well && legal && text.len() <= Self::MAX_LEN {
            return Ok(Self(text.to_owned()));
        }
        let (refused, most): (String, _) = (text.chars().take(80).collect(), Self::MAX_LEN);
        Err(Fault::rejected(format!(
            "{refused:?} is not a prefix: use 1 to {most} lower-case letters, digits, '-' and '_', \
             starting with a letter or digit"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prefixes_that_would_break_a_subject_are_refused() {
        let long = "a".repeat(33);
        for text in ["", "-a", "A", "a.b", "a b", "*", ">", "$js", "a\n", &long] {
            assert!(text.parse::<Prefix>().is_err(), "{text:?} was accepted");
        }
    }

    proptest! {
        #[test]
        fn every_prefix_of_the_documented_form_is_accepted(text in "[a-z0-9][a-z0-9_-]{0,31}") {
            prop_assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
    }
}
