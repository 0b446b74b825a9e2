//! Accepted versions of nats-server.

use std::fmt;

/// The oldest accepted version: the first with the consumer features in use.
pub(super) const LEAST: Version = Version(2, 11, 0);

/// The version under test.
pub(super) const TESTED: Version = Version(2, 15, 1);

/// A server's version, without a suffix such as `-RC.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Parses `text`. None where it does not begin with three numbers.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '+']).next()?;
        let mut parts = numbers.split('.').map(str::parse);
        let mut next = || parts.next()?.ok();
        Some(Self(next()?, next()?, next()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let parse = |text| Version::parse(text).unwrap();
        assert!(parse("2.9.25") < LEAST);
        assert!(parse("2.11.0-dev") >= LEAST && parse("2.11.0") < TESTED);
        assert!(parse("2.15.1") >= TESTED && parse("3.0.0") > TESTED);
        assert_eq!(Version::parse("latest"), None);
        assert_eq!(Version::parse("2.11"), None);
    }
}
