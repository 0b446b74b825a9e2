//! Names of sites and cameras.

use std::{error::Error, fmt, str::FromStr};

/// The name of a site or a camera: `[a-z0-9][a-z0-9_-]{0,62}`.
///
/// The alphabet is the intersection of the alphabets of NATS subjects, file systems, object keys,
/// DNS labels and URLs, so that a name needs no escaping anywhere. Lower case only: some file
/// systems fold case, and two cameras must never share a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// The longest name, in bytes: the limit of a DNS label.
    pub const MAX_LEN: usize = 63;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let legal = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if starts_well && legal && text.len() <= Self::MAX_LEN {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError {
                refused: text.chars().take(80).collect(),
            })
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    refused: String,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a site or camera name: use 1 to {} lower-case letters, digits, '-' and '_', starting with a letter or digit",
            self.refused,
            Name::MAX_LEN
        )
    }
}

impl Error for NameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_would_need_escaping_are_refused() {
        let long = "a".repeat(64);
        for text in [
            "", "-a", "_a", "A", "a.b", "a b", "a/b", "..", "*", ">", "ä", "a\n", "a\0", &long,
        ] {
            assert!(text.parse::<Name>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn an_error_names_the_allowed_characters() {
        let error = "Front Door".parse::<Name>().unwrap_err().to_string();
        assert!(
            error.contains("\"Front Door\"") && error.contains("lower-case letters"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn any_accepted_name_is_a_legal_token_path_and_key(text in ".{0,70}") {
            if let Ok(name) = text.parse::<Name>() {
                let name = name.as_str();
                prop_assert!(!name.is_empty() && name.len() <= 63);
                prop_assert!(!name.contains(['.', '*', '>', ' ', '/', '\\', '\0', '%', '?', '#', ':']));
                prop_assert!(name.is_ascii() && !name.starts_with('-'));
            }
        }

        #[test]
        fn every_name_of_the_documented_form_is_accepted(text in "[a-z0-9][a-z0-9_-]{0,62}") {
            prop_assert_eq!(text.parse::<Name>().unwrap().to_string(), text);
        }
    }
}
