//! Builds configuration records from parameter sets (ISO/IEC 14496-15): an mp4 file's data for the
//! decoder before the first packet.

use super::h265::sps;
use super::unescape;

/// The record of H.264 (5.3.3.1): version, profile, size of lengths, sets.
pub(super) fn avcc(sequence: &[&[u8]], picture: &[&[u8]], length_size: usize) -> Option<Vec<u8>> {
    let [profile, compatibility, level] =
        *unescape(sequence.first()?.get(1..)?, 3).first_chunk::<3>()?;
    let mut record = vec![
        1,
        profile,
        compatibility,
        level,
        0xfc | length_code(length_size),
    ];
    record.push(
        0xe0 | u8::try_from(sequence.len())
            .ok()
            .filter(|&count| count < 32)?,
    );
    append(&mut record, sequence)?;
    record.push(u8::try_from(picture.len()).ok()?);
    append(&mut record, picture)?;
    Some(record)
}

/// The record of H.265 (8.3.3.1): profile, tier and level, properties, then an array of sets per
/// kind.
pub(super) fn hvcc(kinds: &[(u8, Vec<&[u8]>)], length_size: usize) -> Option<Vec<u8>> {
    let (_, sequence) = kinds
        .iter()
        .find(|(kind, _)| *kind == super::h265::SEQUENCE_SET)?;
    let first = sequence.first()?;
    let general = sps::general(first)?;
    let parsed = sps::parse(first)?;
    let mut record = vec![1];
    record.extend_from_slice(&general.profile_tier_level);
    record.extend_from_slice(&[0xf0, 0, 0xfc]); // No claims about slices and parallel decoding.
    record.push(0xfc | u8::try_from(parsed.chroma_format).ok()?);
    let depth = 0xf8 | u8::try_from(parsed.bit_depth.checked_sub(8)?).ok()?;
    record.extend_from_slice(&[depth, depth, 0, 0]); // Luma, chroma, no claim about the frame rate.
    record.push(general.sub_layers << 3 | u8::from(general.nested) << 2 | length_code(length_size));
    let filled: Vec<_> = kinds.iter().filter(|(_, sets)| !sets.is_empty()).collect();
    record.push(u8::try_from(filled.len()).ok()?);
    for (kind, sets) in filled {
        record.push(0x80 | kind); // The array is complete.
        record.extend_from_slice(&u16::try_from(sets.len()).ok()?.to_be_bytes());
        append(&mut record, sets)?;
    }
    Some(record)
}

fn append(record: &mut Vec<u8>, sets: &[&[u8]]) -> Option<()> {
    for set in sets {
        record.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
        record.extend_from_slice(set);
    }
    Some(())
}

/// The size of a length in both records: one less, in two bits.
fn length_code(size: usize) -> u8 {
    match size {
        1 => 0,
        2 => 1,
        _ => 3,
    }
}
