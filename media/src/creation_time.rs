//! When a recording began, if its container can be believed.

use jiff::Timestamp;

/// Earlier than this is a camera that does not know the time: clocks start in 1904 (the zero of mp4), 1970, 1980 or 2000.
const EARLIEST: &str = "2001-01-01T00:00:00Z";

/// Later than this is a damaged field: the largest that mp4's 32 bits can say is 2040.
const LATEST: &str = "2100-01-01T00:00:00Z";

/// Microseconds of Unix time from `2026-03-01T12:00:00.000000Z`; `None` for what cannot be believed.
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
    fn a_time_is_read_to_the_microsecond() {
        assert_eq!(
            parse("2026-03-01T12:00:00.000250Z"),
            Some(1_772_366_400_000_250)
        );
    }

    #[test]
    fn clocks_that_were_never_set_are_not_believed() {
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
