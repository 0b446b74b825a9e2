//! Detects files whose end is missing, by the length that their own beginning announces.
//!
//! ```text
//!   mp4        ftyp | moov | mdat ...............................|    box sizes: `boxes`
//!   Matroska   EBML header | Segment ............................|    the Segment's own size
//! ```
//!
//! libav reads as many bytes as there are and takes the duration from the header. MPEG-TS, raw
//! streams and streamed Matroska (a Segment of unknown size) announce no length and may end
//! anywhere.

use std::io::{self, Read, Seek, SeekFrom};

use crate::boxes::Boxes;

/// Bytes that are examined for a Segment: an EBML header has some 40, the Segment's own header 12.
const HEAD: usize = 512;

const EBML: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];
const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];

/// The fewest bytes that the whole file can have, if that is more than its `size`.
///
/// `None` for a whole file, and for a format that announces no length.
pub(crate) fn missing<R: Read + Seek>(reader: &mut R, size: u64) -> io::Result<Option<u64>> {
    if let Some(boxes) = Boxes::read(reader, size)? {
        return Ok(boxes.missing(size));
    }
    reader.seek(SeekFrom::Start(0))?;
    let mut head = Vec::with_capacity(HEAD);
    reader.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    Ok(segment_missing(&head, size))
}

/// The same for Matroska, from the first bytes of the file.
fn segment_missing(head: &[u8], size: u64) -> Option<u64> {
    let (header, from) = element(head, EBML)?;
    let at = from.checked_add(header?)?;
    let (segment, from) = element(head.get(usize::try_from(at).ok()?..)?, SEGMENT)?;
    let end = at.checked_add(from)?.checked_add(segment?)?;
    (end > size).then_some(end)
}

/// The size of an element with this id at the start of `bytes`, and the offset of its content. The
/// size is `None` where the element declares it unknown.
fn element(bytes: &[u8], id: [u8; 4]) -> Option<(Option<u64>, u64)> {
    let rest = bytes.strip_prefix(&id)?;
    let &first = rest.first()?;
    // The number of leading zeros is the number of further bytes (RFC 8794, 4).
    let length = first.leading_zeros() as usize + 1;
    let number = rest.get(..length).filter(|_| length <= 8)?;
    let mask = 0xff_u8.checked_shr(length as u32).unwrap_or(0);
    let begin = u64::from(first & mask);
    let size = number[1..]
        .iter()
        .fold(begin, |size, &byte| size << 8 | u64::from(byte));
    let unknown = (1 << (7 * length)) - 1;
    Some((
        (size != unknown).then_some(size),
        (id.len() + length) as u64,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A header of 3 bytes and a Segment with `size` as its size field.
    fn file(size: &[u8]) -> Vec<u8> {
        [&EBML[..], &[0x83, 1, 2, 3], &SEGMENT, size].concat()
    }

    #[test]
    fn a_segment_longer_than_the_file_lacks_its_end() {
        let head = file(&[0x01, 0, 0, 0, 0, 0, 3, 232]); // 1000 bytes after the first 20
        assert_eq!(segment_missing(&head, 1019), Some(1020));
        assert_eq!(segment_missing(&head, 1020), None);
        assert_eq!(segment_missing(&file(&[0x90]), 28), Some(29)); // 16 bytes after the first 13
    }

    #[test]
    fn a_segment_of_unknown_size_is_never_truncated() {
        assert_eq!(
            segment_missing(&file(&[0x01, 255, 255, 255, 255, 255, 255, 255]), 30),
            None
        );
        assert_eq!(segment_missing(&file(&[0xff]), 30), None);
    }

    #[test]
    fn other_formats_are_not_segments() {
        for head in [&b""[..], b"\x1a\x45", b"G@\0", b"\0\0\0\x18ftypisom"] {
            assert_eq!(segment_missing(head, 30), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..40), first in 0..3usize) {
            let head = [[&EBML[..], &bytes].concat(), file(&bytes), bytes][first].clone();
            if let Some(expected) = segment_missing(&head, 100) {
                prop_assert!(expected > 100);
            }
        }
    }
}
