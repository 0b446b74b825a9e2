//! NAL units in either framing.

/// The delimiters of NAL units within a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Each has its length in front, in this many bytes (1 to 4).
    Lengths(usize),
    /// Each follows a start code.
    StartCodes,
}

impl Framing {
    /// The framing for an H.264 configuration: a record (avcC) begins with its version, 1, while
    /// parameter sets in Annex B begin with zeros.
    pub(crate) fn from_avcc(extradata: &[u8]) -> Framing {
        match extradata {
            [1, _, _, _, lengths, _, ..] => Framing::Lengths(usize::from(lengths & 3) + 1),
            _ => Framing::StartCodes,
        }
    }

    /// The framing for an H.265 configuration (hvcC, at least 23 bytes). Early files have version 0
    /// in it.
    pub(crate) fn from_hvcc(extradata: &[u8]) -> Framing {
        match extradata {
            [0, 0, 0, 1, ..] | [0, 0, 1, ..] => Framing::StartCodes,
            record if record.len() >= 23 => Framing::Lengths(usize::from(record[21] & 3) + 1),
            _ => Framing::StartCodes,
        }
    }
}

/// The NAL units of a packet, without empty ones; ends at the first length that does not fit.
pub(crate) fn units(bytes: &[u8], framing: Framing) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (unit, after) = match framing {
            Framing::Lengths(size) => split_unit(rest, size)?,
            Framing::StartCodes => after_start_code(rest)?,
        };
        rest = after;
        Some(unit)
    })
    .filter(|unit| !unit.is_empty())
}

/// Splits off a unit with its length in front, in `size` bytes.
pub(super) fn split_unit(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(size)?;
    let length = length
        .iter()
        .fold(0usize, |length, &byte| length << 8 | usize::from(byte));
    rest.split_at_checked(length)
}

fn after_start_code(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = find_start_code(bytes)? + 3;
    let rest = &bytes[start..];
    let Some(end) = find_start_code(rest) else {
        return Some((rest, &[]));
    };
    // The zero of a four-byte start code, and padding, belong to neither.
    let trimmed = rest[..end]
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    Some((&rest[..trimmed], &rest[end..]))
}

fn find_start_code(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    while at < bytes.len() {
        match bytes[at] {
            1 if bytes[at - 1] == 0 && bytes[at - 2] == 0 => return Some(at - 2),
            0 => at += 1,
            // Neither the end nor the middle of a start code.
            _ => at += 3,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn units_round_trip(list in prop::collection::vec(prop::collection::vec(1..255u8, 1..40), 0..8)) {
            let mut lengths = Vec::new();
            let mut codes = Vec::new();
            for unit in &list {
                lengths.extend_from_slice(&u32::try_from(unit.len()).unwrap().to_be_bytes());
                lengths.extend_from_slice(unit);
                codes.extend_from_slice(if unit.len() % 2 == 0 { &[0, 0, 0, 1] } else { &[0, 0, 1] });
                codes.extend_from_slice(unit);
            }
            prop_assert_eq!(units(&lengths, Framing::Lengths(4)).collect::<Vec<_>>(), list.clone());
            prop_assert_eq!(units(&codes, Framing::StartCodes).collect::<Vec<_>>(), list);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(0..4u8, 0..200), size in 1..5usize) {
            let total: usize = units(&bytes, Framing::Lengths(size)).map(<[u8]>::len).sum();
            prop_assert!(total <= bytes.len());
            let total: usize = units(&bytes, Framing::StartCodes).map(<[u8]>::len).sum();
            prop_assert!(total <= bytes.len());
        }
    }
}
