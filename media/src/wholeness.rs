//! Whether a file has the end that its own beginning announces, in whatever container.

use std::io::{self, Read, Seek, SeekFrom};

use crate::boxes::Boxes;
use crate::segment;

/// The fewest bytes that the whole file can have, if that is more than its `size`.
///
/// `None`: it is whole, or its container does not say how long it should be (MPEG-TS, raw streams, streamed Matroska).
pub(crate) fn missing<R: Read + Seek>(reader: &mut R, size: u64) -> io::Result<Option<u64>> {
    if let Some(boxes) = Boxes::read(reader, size)? {
        return Ok(boxes.missing(size));
    }
    reader.seek(SeekFrom::Start(0))?;
    let mut head = Vec::with_capacity(segment::HEAD);
    reader
        .by_ref()
        .take(segment::HEAD as u64)
        .read_to_end(&mut head)?;
    Ok(segment::missing(&head, size))
}
