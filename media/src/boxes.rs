//! The boxes of an mp4 file: its completeness, and the range of its index.
//!
//! ```text
//!   ftyp | moov ........ | free | mdat ..............................|
//!   '------ index ------'         '- length by its own header -------'
//! ```
//!
//! libav accepts a file whose second half is missing, with the duration of its index. The box sizes
//! reveal the loss. Pure: reads 16 bytes a box through any [`Read`] and [`Seek`].

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// The kinds of box that a file begins with in practice.
const FIRST: [&[u8; 4]; 8] = [
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp",
];

/// The boxes that playback requires.
const NEEDED: [&[u8; 4]; 3] = [b"moov", b"mdat", b"moof"];

/// The most boxes of a plausible file: more is an attack or not an mp4.
const MOST_BOXES: usize = 100_000;

/// The shortest header of a box, in bytes.
const HEADER: u64 = 8;

/// A box of the outermost level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopBox {
    /// Its four letters.
    pub(crate) kind: [u8; 4],
    /// From its header to its end by its header; may lie beyond the end of the file.
    pub(crate) range: Range<u64>,
}

/// The outermost boxes of an mp4 file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Boxes(Vec<TopBox>);

impl Boxes {
    /// Reads the headers of a file of `size` bytes; `None` if it does not begin like an mp4 file.
    pub(crate) fn read<R: Read + Seek>(reader: &mut R, size: u64) -> io::Result<Option<Boxes>> {
        let mut boxes = Vec::new();
        let mut at = 0;
        while at < size && boxes.len() < MOST_BOXES {
            reader.seek(SeekFrom::Start(at))?;
            let mut header = Vec::with_capacity(16);
            reader
                .by_ref()
                .take((size - at).min(16))
                .read_to_end(&mut header)?;
            // Less than a header after whole boxes: trailing bytes, or a cut that `missing`
            // detects.
            let Some(found) = parse(&header, at, size) else {
                break;
            };
            if boxes.is_empty() && !FIRST.contains(&&found.kind) {
                return Ok(None);
            }
            at = found.range.end;
            boxes.push(found);
        }
        Ok((!boxes.is_empty()).then_some(Boxes(boxes)))
    }

    /// The first box of a kind.
    pub(crate) fn find(&self, kind: &[u8; 4]) -> Option<&TopBox> {
        self.0.iter().find(|found| &found.kind == kind)
    }

    /// From the start of the file to the end of its index, if the index is in front.
    pub(crate) fn index(&self) -> Range<u64> {
        match (self.find(b"moov"), self.find(b"mdat")) {
            (Some(index), None) => 0..index.range.end,
            (Some(index), Some(data)) if index.range.end <= data.range.start => 0..index.range.end,
            _ => 0..0,
        }
    }

    /// The fewest bytes that the whole file can have, if that is more than it has.
    ///
    /// A fragmented file may end anywhere after its index: what is there can be played.
    pub(crate) fn missing(&self, size: u64) -> Option<u64> {
        let whole_index = self
            .find(b"moov")
            .is_some_and(|index| index.range.end <= size);
        if whole_index && self.find(b"moof").is_some() {
            return None;
        }
        // Only the boxes that playback requires: any bytes may be appended to a file.
        let needed = self.0.iter().filter(|found| NEEDED.contains(&&found.kind));
        let end = needed.map(|found| found.range.end).max().unwrap_or(0);
        if self.find(b"moov").is_none() || self.find(b"mdat").is_none() {
            return Some(end.max(size) + HEADER); // The missing box has a header at least.
        }
        (end > size).then_some(end)
    }
}

/// The header of a box that begins at `at`.
fn parse(header: &[u8], at: u64, size: u64) -> Option<TopBox> {
    let (short, rest) = header.split_first_chunk::<4>()?;
    let (kind, rest) = rest.split_first_chunk::<4>()?;
    let length = match u32::from_be_bytes(*short) {
        0 => size.checked_sub(at)?, // To the end of the file.
        1 => u64::from_be_bytes(*rest.first_chunk::<8>()?),
        short => u64::from(short),
    };
    (length >= HEADER).then_some(TopBox {
        kind: *kind,
        range: at..at.checked_add(length)?,
    })
}

/// The payload of the first box of a kind among the boxes in a range of bytes.
pub(crate) fn inside(file: &[u8], within: Range<usize>, kind: &[u8; 4]) -> Option<Range<usize>> {
    let mut at = within.start;
    while at < within.end {
        let header = file.get(at..within.end)?.first_chunk::<8>()?;
        let size = usize::try_from(u32::from_be_bytes(*header.first_chunk()?)).ok()?;
        if &header[4..] == kind {
            return (size >= 8 && at + size <= within.end).then(|| at + 8..at + size);
        }
        at += size.max(8);
    }
    None
}

/// Width and height of the first video track whose sample description has these four letters, from
/// the bytes of an index.
///
/// For codecs whose size libav leaves to the decoder (MPEG-4 part 2).
pub(crate) fn coded_size(file: &[u8], letters: &[u8; 4]) -> Option<(u32, u32)> {
    let movie = inside(file, 0..file.len(), b"moov")?;
    let mut rest = movie;
    while let Some(track) = inside(file, rest.clone(), b"trak") {
        rest.start = track.end;
        let path = [b"mdia", b"minf", b"stbl", b"stsd"];
        let described = path
            .iter()
            .try_fold(track, |within, kind| inside(file, within, kind));
        // After version, flags and count. The entry's header and 24 bytes of other fields precede
        // the size.
        let entry = described
            .and_then(|described| inside(file, described.start + 8..described.end, letters));
        if let Some(entry) = entry {
            let &[w0, w1, h0, h1] = file.get(entry.start + 24..entry.end)?.first_chunk()?;
            return Some((
                u16::from_be_bytes([w0, w1]).into(),
                u16::from_be_bytes([h0, h1]).into(),
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    fn atom(kind: &[u8; 4], length: usize) -> Vec<u8> {
        let mut bytes = u32::try_from(length).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(kind);
        bytes.resize(length, 0);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Boxes> {
        Boxes::read(&mut Cursor::new(bytes), bytes.len() as u64).unwrap()
    }

    #[test]
    fn a_whole_file_has_its_index_range() {
        let bytes = [
            atom(b"ftyp", 24),
            atom(b"moov", 100),
            atom(b"free", 8),
            atom(b"mdat", 500),
        ]
        .concat();
        let boxes = read(&bytes).unwrap();
        assert_eq!(boxes.missing(632), None);
        assert_eq!(boxes.index(), 0..124);
    }

    #[test]
    fn a_file_cut_at_any_byte_is_truncated() {
        let bytes = [atom(b"ftyp", 24), atom(b"moov", 100), atom(b"mdat", 50)].concat();
        for length in 24..bytes.len() {
            let boxes = read(&bytes[..length]).unwrap();
            assert!(
                boxes
                    .missing(length as u64)
                    .is_some_and(|expected| expected > length as u64),
                "at {length}"
            );
        }
    }

    #[test]
    fn a_file_without_its_trailing_index_is_truncated() {
        let bytes = [atom(b"ftyp", 24), atom(b"mdat", 50)].concat();
        assert_eq!(read(&bytes).unwrap().missing(74), Some(82));
    }

    #[test]
    fn a_fragmented_file_may_end_in_a_fragment() {
        let bytes = [
            atom(b"ftyp", 24),
            atom(b"moov", 100),
            atom(b"moof", 60),
            atom(b"mdat", 500),
        ]
        .concat();
        assert_eq!(read(&bytes[..300]).unwrap().missing(300), None);
    }

    #[test]
    fn bytes_appended_to_a_whole_file_are_ignored() {
        let whole = [atom(b"ftyp", 24), atom(b"moov", 100), atom(b"mdat", 50)].concat();
        for appended in [
            &b"\xff\xfe\xfd\xfc a note from an editor"[..],
            b"short",
            &[0; 40],
        ] {
            let bytes = [&whole, appended].concat();
            assert_eq!(read(&bytes).unwrap().missing(bytes.len() as u64), None);
        }
    }

    #[test]
    fn lengths_of_64_bits_and_to_the_end_are_parsed() {
        let mut large = vec![0, 0, 0, 1, b'm', b'd', b'a', b't', 0, 0, 0, 1, 0, 0, 0, 0];
        let bytes = [
            atom(b"ftyp", 24),
            atom(b"moov", 8),
            std::mem::take(&mut large),
        ]
        .concat();
        assert_eq!(read(&bytes).unwrap().missing(48), Some((1 << 32) + 32));
        let bytes = [
            atom(b"ftyp", 24),
            atom(b"moov", 8),
            vec![0, 0, 0, 0, b'm', b'd', b'a', b't', 9, 9],
        ]
        .concat();
        assert_eq!(read(&bytes).unwrap().missing(42), None);
    }

    #[test]
    fn other_files_have_no_boxes() {
        assert_eq!(read(b"\x1a\x45\xdf\xa3 matroska and more of it"), None);
        assert_eq!(read(b""), None);
        assert_eq!(read(b"G@\0"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), first in 0..8usize) {
            let bytes = [&40u32.to_be_bytes()[..], FIRST[first], &bytes].concat();
            if let Some(boxes) = read(&bytes) {
                boxes.missing(bytes.len() as u64);
                boxes.index();
            }
        }
    }
}
