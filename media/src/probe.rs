//! What a chunk is, from as few of its bytes as possible.
//!
//! The first [`HEAD`] bytes are fetched in one read; of a chunk written here they hold the whole index, so that nothing
//! more has to be read. Whether the file is whole is told by its box sizes, held against its size.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use crate::boxes::{Boxes, coded_size};
use crate::error::ProbeError;
use crate::ffi::{Demuxer, LibavError, Reader, Watch};
use crate::stop::StopFlag;
use crate::time::Timebase;
use crate::video::{Codec, Container};

/// How much is read at first, in bytes: an index of 48 bytes a packet for 20 s of 30 frames a second.
const HEAD: usize = 32 * 1024;

/// What the bytes of a chunk say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Width in pixels, before rotation.
    pub width: u32,
    /// Height in pixels, before rotation.
    pub height: u32,
    /// Number of colour components: 1 for grey, 3 for colour; 0 where the index does not say.
    pub channels: u32,
    /// The codec.
    pub codec: Codec,
    /// The codec string, where the index has the parameter sets.
    pub rfc6381: Option<String>,
    /// What kind of file it is.
    pub container: Container,
    /// The exact length of the video, in ticks of `timebase`; `None` where the container has no index.
    pub duration_ticks: Option<i64>,
    /// The unit of the duration.
    pub timebase: Timebase,
    /// Number of packets, hidden ones included; `None` where the container has no index.
    pub packets: Option<u64>,
}

/// Learns what a chunk of `size` bytes is. Opens it and reads its index; decodes nothing.
///
/// `reader` must give the bytes from offset 0 on, wherever it stands. Of a chunk written here, at most 32 KiB are read,
/// in one read, unless it holds more than some 600 packets.
pub fn probe<R: Read + Seek + Send + 'static>(reader: R, size: u64) -> Result<Probe, ProbeError> {
    let mut headed = Headed::read(reader, size).map_err(|source| ProbeError::Io { source })?;
    let boxes = Boxes::read(&mut headed, size).map_err(|source| ProbeError::Io { source })?;
    let missing = boxes.as_ref().and_then(|boxes| boxes.missing(size));
    if let Some(expected) = missing {
        return Err(ProbeError::Truncated {
            expected,
            actual: size,
        });
    }
    let refused = |source: LibavError| match source.os() {
        Some(number) => ProbeError::Io {
            source: io::Error::from_raw_os_error(number),
        },
        None => ProbeError::NotVideo { source },
    };
    let mp4v_size = coded_size(headed.head.get_ref(), b"mp4v");
    let reader = Reader::new(headed, size).map_err(refused)?;
    let demuxer = Demuxer::open_reader(reader, Watch::new(StopFlag::new())).map_err(refused)?;
    let index = demuxer.best_video().ok_or(ProbeError::NoVideo)?;
    let stream = demuxer.streams().nth(index).ok_or(ProbeError::NoVideo)?;
    let parameters = stream.parameters().map_err(refused)?;
    let codec = Codec::of(&parameters);
    let rfc6381 = codec.rfc6381(&parameters, 0);
    let (width, height) = match parameters.size() {
        (0, 0) => mp4v_size.unwrap_or((0, 0)),
        size => size,
    };
    Ok(Probe {
        width,
        height,
        channels: codec.channels(parameters.extradata()),
        codec,
        rfc6381: (!rfc6381.is_empty()).then_some(rfc6381),
        container: container(demuxer.format_name()),
        duration_ticks: stream.duration(),
        timebase: stream.timebase().ok_or(refused(LibavError::INVALID_DATA))?,
        packets: stream.packets(),
    })
}

/// Our name for libav's name of a format.
fn container(name: &str) -> Container {
    match name.split(',').next() {
        Some("matroska") => Container::Mkv,
        Some("mpegts") => Container::MpegTs,
        _ => Container::Mp4,
    }
}

/// A reader whose first bytes are in memory.
struct Headed<R> {
    head: Cursor<Vec<u8>>,
    rest: R,
    at: u64,
    size: u64,
}

impl<R: Read + Seek> Headed<R> {
    fn read(mut rest: R, size: u64) -> io::Result<Headed<R>> {
        rest.seek(SeekFrom::Start(0))?;
        let wanted = usize::try_from(size).unwrap_or(HEAD).min(HEAD);
        let mut head = vec![0; wanted];
        rest.read_exact(&mut head)?;
        Ok(Headed {
            head: Cursor::new(head),
            rest,
            at: 0,
            size,
        })
    }
}

impl<R: Read + Seek> Read for Headed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = if self.at < self.head.get_ref().len() as u64 {
            self.head.set_position(self.at);
            self.head.read(buffer)?
        } else {
            self.rest.seek(SeekFrom::Start(self.at))?;
            self.rest.read(buffer)?
        };
        self.at += read as u64;
        Ok(read)
    }
}

impl<R: Read + Seek> Seek for Headed<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
