//! A file on a server.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    time::Duration,
};

use bytes::{Buf, Bytes};
use url::Url;

use super::{
    body::Body,
    failure::FetchError,
    fetcher::{Fetcher, shown},
};
use crate::run_identity::SAMPLE;

/// A step forward up to this many bytes is read and thrown away: another question would take longer.
const SKIP: u64 = 256 << 10;

/// How many times in a row a connection may break without a byte in between.
const BREAKS: u32 = 4;

/// The bytes of one URL.
///
/// Both ends are kept in memory (1 MiB each), for they are read first, to know the file again, and then once more by FFmpeg, which
/// looks for the index there. In between there is one connection, gone on with where it broke, as long as server and file are
/// what they were.
#[derive(Debug)]
pub(super) struct RemoteFile {
    fetcher: Fetcher,
    url: Url,
    /// As it was at first: what must stay.
    first: Facts,
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Where it turned out to end, if the server did not say before.
    over: Option<u64>,
    /// Where reading stands.
    at: u64,
    stream: Option<Stream>,
}

/// What a server says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    length: Option<u64>,
    validator: String,
    modified_us: Option<i64>,
    ranges: bool,
}

/// A connection that gives bytes.
#[derive(Debug)]
struct Stream {
    body: Body,
    /// Where in the file its next byte lies.
    at: u64,
    rest: Bytes,
}

impl RemoteFile {
    /// Asks for the file and reads its first MiB.
    pub(super) fn open(fetcher: Fetcher, url: Url) -> Result<Self, FetchError> {
        let body = fetcher.insist(|| fetcher.get(&url, 0, None))?;
        let first = Facts {
            length: body.length,
            validator: body.validator.clone(),
            modified_us: body.modified_us,
            ranges: body.partial,
        };
        let mut file = Self {
            url: body.url.clone(),
            stream: Some(Stream {
                body,
                at: 0,
                rest: Bytes::new(),
            }),
            fetcher,
            first,
            head: Vec::new(),
            tail: Vec::new(),
            over: None,
            at: 0,
        };
        let mut head = Vec::new();
        let read = file.by_ref().take(SAMPLE).read_to_end(&mut head);
        read.map_err(FetchError::from_io)?;
        file.head = head;
        file.at = 0;
        Ok(file)
    }

    /// Reads the last MiB, where the server gives it by itself.
    pub(super) fn read_tail(&mut self) -> Result<(), FetchError> {
        let (Some(length), true) = (self.first.length, self.first.ranges) else {
            return Ok(());
        };
        // The connection that stands at the end of the first MiB is kept for what follows.
        let kept = self.stream.take();
        self.at = length.saturating_sub(SAMPLE);
        let mut tail = Vec::new();
        self.read_to_end(&mut tail).map_err(FetchError::from_io)?;
        self.tail = tail;
        self.at = 0;
        self.stream = kept;
        Ok(())
    }

    /// Its first MiB.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Its last MiB; empty where the server takes no ranges.
    pub(super) fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Its length in bytes, if the server says so.
    pub(super) fn length(&self) -> Option<u64> {
        self.first.length
    }

    /// By what the server knows this state of it.
    pub(super) fn validator(&self) -> &str {
        &self.first.validator
    }

    /// When it was last written, in Unix microseconds.
    pub(super) fn modified_us(&self) -> Option<i64> {
        self.first.modified_us
    }

    /// Whether it can be read in any order.
    pub(super) fn takes_ranges(&self) -> bool {
        self.first.ranges
    }

    /// Where it is, after redirects.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Copies what is in memory at this place.
    fn remembered(&self, buffer: &mut [u8]) -> Option<usize> {
        let tail_at = self.first.length.unwrap_or(u64::MAX) - self.tail.len() as u64;
        let from = |kept: &'_ [u8], at: u64| -> Option<Range<usize>> {
            let at = usize::try_from(self.at.checked_sub(at)?).ok()?;
            (at < kept.len()).then_some(at..kept.len())
        };
        let kept = match (from(&self.head, 0), from(&self.tail, tail_at)) {
            (Some(range), _) => &self.head[range],
            (None, Some(range)) => &self.tail[range],
            (None, None) => return None,
        };
        let count = kept.len().min(buffer.len());
        buffer[..count].copy_from_slice(&kept[..count]);
        Some(count)
    }

    fn fetch(&mut self, buffer: &mut [u8]) -> Result<usize, FetchError> {
        let mut breaks = 0;
        loop {
            let failure = match self.fetch_once(buffer) {
                Err(failure) if failure.may_pass() => failure,
                outcome => return outcome,
            };
            self.stream = None;
            breaks += 1;
            if breaks > BREAKS {
                return Err(failure);
            }
            if !self.first.ranges && self.at > 0 {
                return Err(FetchError::NoRange {
                    place: self.place(),
                    at: self.at,
                });
            }
            self.fetcher.pause(Duration::from_millis(250) * breaks)?;
        }
    }

    fn fetch_once(&mut self, buffer: &mut [u8]) -> Result<usize, FetchError> {
        let mut stream = match self.stream.take() {
            Some(stream) if stream.at <= self.at && self.at - stream.at <= SKIP => stream,
            _ => self.reopen()?,
        };
        loop {
            if stream.rest.is_empty() {
                match self.fetcher.next(&mut stream.body) {
                    Ok(Some(bytes)) => stream.rest = bytes,
                    Ok(None) if self.goes_on(&stream) => stream = self.reopen()?,
                    Ok(None) => return self.end(stream.at),
                    Err(FetchError::Broken { place, source, .. }) => {
                        let at = stream.at;
                        return Err(FetchError::Broken { place, at, source });
                    }
                    Err(failure) => return Err(failure),
                }
            }
            let skip = usize::try_from(self.at - stream.at).unwrap_or(usize::MAX);
            let skip = skip.min(stream.rest.len());
            stream.rest.advance(skip);
            stream.at += skip as u64;
            if stream.at < self.at || stream.rest.is_empty() {
                continue;
            }
            let count = stream.rest.len().min(buffer.len());
            stream.rest.copy_to_slice(&mut buffer[..count]);
            stream.at += count as u64;
            self.at = stream.at;
            self.stream = Some(stream);
            return Ok(count);
        }
    }

    /// Whether a server that gives files in pieces has given all of a piece, and there are more.
    fn goes_on(&self, over: &Stream) -> bool {
        over.body.partial
            && over.body.end == Some(over.at)
            && self.first.length.is_some_and(|length| over.at < length)
    }

    /// An end before the promised length is none.
    fn end(&mut self, at: u64) -> Result<usize, FetchError> {
        match self.first.length {
            Some(length) if at < length => Err(FetchError::Broken {
                place: self.place(),
                at,
                source: None,
            }),
            _ => {
                self.over = Some(at);
                Ok(0)
            }
        }
    }

    /// A new connection that begins where reading stands.
    fn reopen(&self) -> Result<Stream, FetchError> {
        let place = self.place();
        let body = self.fetcher.get(&self.url, self.at, None)?;
        if body.length != self.first.length || body.validator != self.first.validator {
            return Err(FetchError::Changed { place });
        }
        if !body.partial && self.at > 0 {
            return Err(FetchError::NoRange { place, at: self.at });
        }
        Ok(Stream {
            body,
            at: self.at,
            rest: Bytes::new(),
        })
    }

    fn place(&self) -> String {
        shown(&self.url)
    }
}

impl Read for RemoteFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.first.length.or(self.over);
        if buffer.is_empty() || end.is_some_and(|end| self.at >= end) {
            return Ok(0);
        }
        if let Some(count) = self.remembered(buffer) {
            self.at += count as u64;
            return Ok(count);
        }
        self.fetch(buffer).map_err(FetchError::into_io)
    }
}

impl Seek for RemoteFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let end = self.first.length.unwrap_or(u64::MAX);
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => end.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
