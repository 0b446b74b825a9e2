//! Durations and sizes as people write them: value parsers for clap.
//!
//! `#[arg(value_parser = crispy_runtime::settings::duration)]`

use std::time::Duration;

use thiserror::Error;

/// Reads a duration: `3s`, `1500ms`, `2m 30s`. A unit is needed.
///
/// # Errors
/// The text is no duration, in humantime's words.
pub fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}

/// A text is not a size.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SizeError {
    /// Not a whole number followed by a known unit. A bare number is refused: it may mean bytes or
    /// megabytes.
    #[error(
        "expected a whole number and a unit, like 8GiB or 64MB (units: B, KB, MB, GB, TB, KiB, MiB, GiB, TiB)"
    )]
    Malformed,
    /// More bytes than 64 bits hold.
    #[error("more than {max} bytes", max = u64::MAX)]
    TooLarge,
}

/// Units and the bytes in them: decimal as in the SI, binary as in IEC 80000-13.
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1000),
    ("MB", 1000_u64.pow(2)),
    ("GB", 1000_u64.pow(3)),
    ("TB", 1000_u64.pow(4)),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads a size in bytes: `8GiB`, `64 MB`, `512B`. Whole numbers only, so that no byte is rounded
/// away.
///
/// # Errors
/// The text is no size, or does not fit 64 bits.
pub fn size(text: &str) -> Result<u64, SizeError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or(SizeError::Malformed)?;
    if number.is_empty() {
        return Err(SizeError::Malformed);
    }
    let number: u64 = number.parse().map_err(|_| SizeError::TooLarge)?;
    number.checked_mul(*factor).ok_or(SizeError::TooLarge)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("3s").unwrap(), Duration::from_secs(3));
        assert_eq!(duration("1500ms").unwrap(), Duration::from_millis(1500));
        assert_eq!(duration("2m 30s").unwrap(), Duration::from_secs(150));
        for wrong in ["", "3", "s", "-3s", "3 parsecs"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_a_whole_number_and_a_unit() {
        assert_eq!(size("8GiB"), Ok(8 << 30));
        assert_eq!(size("64 MB"), Ok(64_000_000));
        assert_eq!(size("0B"), Ok(0));
        for wrong in [
            "", "8", "GiB", "8G", "8gib", "1.5GiB", "-1B", "8  GiB", "8GiB ",
        ] {
            assert_eq!(size(wrong), Err(SizeError::Malformed), "{wrong}");
        }
    }

    #[test]
    fn a_size_beyond_64_bits_is_refused_not_wrapped() {
        assert_eq!(size("18446744073709551615B"), Ok(u64::MAX));
        assert_eq!(size("18446744073709551616B"), Err(SizeError::TooLarge));
        assert_eq!(size("16777216TiB"), Err(SizeError::TooLarge));
    }

    proptest! {
        #[test]
        fn every_size_in_range_is_read_exactly(number in 0..=u64::MAX, unit in 0..UNITS.len()) {
            let (name, factor) = UNITS[unit];
            let expected = number.checked_mul(factor).ok_or(SizeError::TooLarge);
            prop_assert_eq!(size(&format!("{number}{name}")), expected);
        }
    }
}
