//! Probes a chunk with as few of its bytes as possible.
//!
//! The first [`HEAD`] bytes are fetched in one read. In a chunk from this crate they hold the whole
//! index, so no further read is needed. Truncation is detected by the lengths that mp4 and Matroska
//! write in front, compared with the file's size; MPEG-TS has none, and only its codec is known.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::time::Duration;

use crate::boxes::coded_size;
use crate::error::ProbeError;
use crate::ffi::{Demuxer, LibavError, Reader, Watch};
use crate::stop::StopFlag;
use crate::time::Timebase;
use crate::truncation;
use crate::video::{Codec, Container};

/// Size of the first read in bytes: an index of 48 bytes a packet for 20 s of 30 frames a second.
const HEAD: usize = 32 * 1024;

/// Bytes of a longer index, for 40 s, that are kept and read at once too.
const LONG_HEAD: usize = 64 * 1024;

/// The facts that a chunk's bytes contain about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Width in pixels, before rotation.
    pub width: u32,
    /// Height in pixels, before rotation.
    pub height: u32,
    /// Number of colour components: 1 for grey, 3 for colour; 0 where the index lacks it.
    pub channels: u32,
    /// The codec.
    pub codec: Codec,
    /// The codec string, if the index has the parameter sets.
    pub rfc6381: Option<String>,
    /// File format.
    pub container: Container,
    /// The length of the video in ticks of `timebase`: exact in mp4, in milliseconds in Matroska;
    /// `None` where the container has none.
    pub duration_ticks: Option<i64>,
    /// The unit of the duration.
    pub timebase: Timebase,
    /// Number of packets, including hidden ones; `None` where the container has no index.
    pub packets: Option<u64>,
}

/// Reads the facts about a chunk of `size` bytes from its index. Decodes nothing.
///
/// `reader` must give the bytes from offset 0 on, at any initial position. A chunk from this crate
/// takes one read of at most 32 KiB up to some 600 packets, and two reads of 64 KiB up to some
/// 1300.
pub fn probe<R: Read + Seek + Send + 'static>(reader: R, size: u64) -> Result<Probe, ProbeError> {
    let mut headed = Headed::read(reader, size).map_err(|source| ProbeError::Io { source })?;
    let missing = truncation::missing(&mut headed, size);
    if let Some(expected) = missing.map_err(|source| ProbeError::Io { source })? {
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
    let codec = Codec::from_parameters(&parameters);
    let rfc6381 = codec.rfc6381(&parameters, 0);
    let (width, height) = match parameters.size() {
        (0, 0) => mp4v_size.unwrap_or((0, 0)),
        size => size,
    };
    let timebase = stream.timebase().ok_or(refused(LibavError::INVALID_DATA))?;
    let container = container(demuxer.format_name());
    // Matroska's own length is that of the longest stream; libav's guess for MPEG-TS is worthless.
    let tagged = (container == Container::Mkv)
        .then(|| stream.metadata(c"DURATION"))
        .flatten()
        .and_then(|text| clock_time(&text))
        .map(|duration| timebase.ticks(duration));
    Ok(Probe {
        width,
        height,
        channels: codec.channels(parameters.extradata()),
        codec,
        rfc6381: (!rfc6381.is_empty()).then_some(rfc6381),
        container,
        duration_ticks: stream.duration().or(tagged),
        timebase,
        packets: stream.packets(),
    })
}

/// The time in FFmpeg's Matroska tag `DURATION`: `00:00:03.014000000`.
fn clock_time(text: &str) -> Option<Duration> {
    let (hours, rest) = text.trim().split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let seconds: f64 = seconds.parse().ok()?;
    let minutes = u64::from(hours) * 60 + u64::from(minutes);
    Duration::from_secs(minutes * 60).checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

/// The container with libav's name of a format.
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
        let head = Cursor::new(Vec::new());
        let mut headed = Headed {
            head,
            rest,
            at: 0,
            size,
        };
        headed.lengthen(HEAD)?;
        Ok(headed)
    }

    /// Reads on until `wanted` bytes, or the whole file, are in memory.
    fn lengthen(&mut self, wanted: usize) -> io::Result<()> {
        let wanted = usize::try_from(self.size).unwrap_or(wanted).min(wanted);
        let head = self.head.get_mut();
        let known = head.len();
        if wanted > known {
            head.resize(wanted, 0);
            self.rest.seek(SeekFrom::Start(known as u64))?;
            self.rest.read_exact(&mut head[known..])?;
        }
        Ok(())
    }
}

impl<R: Read + Seek> Read for Headed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (HEAD as u64..LONG_HEAD as u64).contains(&self.at) {
            self.lengthen(LONG_HEAD)?;
        }
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
