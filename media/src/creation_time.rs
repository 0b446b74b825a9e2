//! The start of a recording, from its container, if plausible.

use jiff::Timestamp;

/// Earlier times come from cameras with an unset clock: those start in 1904 (the zero of mp4),
/// 1970, 1980 or 2000.
const EARLIEST: &str = "2001-01-01T00:00:00Z";

/// Later times are a damaged field: the largest time in mp4's 32 bits is in 2040.
const LATEST: &str = "2100-01-01T00:00:00Z";

/// Microseconds of Unix time from `2026-03-01T12:00:00.000000Z`; `None` for an implausible time.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let bound = |text: &str| text.parse::<Timestamp>().expect("a constant of this file");
    let time: Timestamp = text.parse().ok()?;
    (bound(EARLIEST)..bound(LATEST))
        .contains(&time)
        .then(|| time.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_parsed_to_the_microsecond() {
        assert_eq!(
            parse("2026-03-01T12:00:00.000250Z"),
            Some(1_772_366_400_000_250)
        );
    }

    #[test]
    fn times_of_unset_clocks_are_rejected() {
        for text in [
            "1904-01-01T00:00:00.000000Z",
            "1970-01-01T00:00:12Z",
            "2000-01-01T00:05:00Z",
            "yesterday",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
