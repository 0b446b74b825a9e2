//! A file on a server as `Read + Seek`.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    time::Duration,
};

use bytes::{Buf, Bytes};
use url::Url;

use super::{body::Body, client::HttpClient, url::redacted};
use crate::{FetchError, fingerprint::SAMPLE};

/// A step forward up to this many bytes is read and discarded: another request would take longer.
const SKIP: u64 = 256 << 10;

/// Breaks of the connection in a row without a byte in between, at most.
const BREAKS: u32 = 4;

/// The bytes of one URL.
///
/// Both ends are kept in memory (1 MiB each): they are read first, for the fingerprint, and then
/// once more by FFmpeg, which looks for the index there. In between there is one connection,
/// resumed where it broke, as long as server and file stay the same.
#[derive(Debug)]
pub(crate) struct HttpFile {
    client: HttpClient,
    url: Url,
    /// The state of the first answer, which must stay.
    state: FileState,
    head: Vec<u8>,
    tail: Vec<u8>,
    /// The end that was reached, where the server had not announced one.
    end: Option<u64>,
    /// The reader's position.
    at: u64,
    connection: Option<Connection>,
}

/// One state of a file, by the server's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileState {
    length: Option<u64>,
    validator: String,
    modified_us: Option<i64>,
    ranges: bool,
}

#[derive(Debug)]
struct Connection {
    body: Body,
    /// The position of its next byte in the file.
    at: u64,
    rest: Bytes,
}

impl HttpFile {
    /// Requests the file and reads its first MiB.
    pub(crate) fn open(client: HttpClient, url: Url) -> Result<Self, FetchError> {
        let body = client.retry(|| client.get(&url, 0, None))?;
        let state = FileState {
            length: body.length,
            validator: body.validator.clone(),
            modified_us: body.modified_us,
            ranges: body.partial,
        };
        let mut file = Self {
            url: body.url.clone(),
            connection: Some(Connection {
                body,
                at: 0,
                rest: Bytes::new(),
            }),
            client,
            state,
            head: Vec::new(),
            tail: Vec::new(),
            end: None,
            at: 0,
        };
        let mut head = Vec::new();
        let read = file.by_ref().take(SAMPLE).read_to_end(&mut head);
        read.map_err(FetchError::from_io)?;
        file.head = head;
        file.at = 0;
        Ok(file)
    }

    /// Reads the last MiB, where the server takes ranges.
    pub(super) fn read_tail(&mut self) -> Result<(), FetchError> {
        let (Some(length), true) = (self.state.length, self.state.ranges) else {
            return Ok(());
        };
        // The connection at the end of the first MiB is kept for what follows.
        let kept = self.connection.take();
        self.at = length.saturating_sub(SAMPLE);
        let mut tail = Vec::new();
        self.read_to_end(&mut tail).map_err(FetchError::from_io)?;
        self.tail = tail;
        self.at = 0;
        self.connection = kept;
        Ok(())
    }

    /// Its first MiB.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Its last MiB; empty where the server takes no ranges.
    pub(super) fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Its length in bytes, if the server gives it.
    pub(super) fn length(&self) -> Option<u64> {
        self.state.length
    }

    /// The server's name for this state of it.
    pub(super) fn validator(&self) -> &str {
        &self.state.validator
    }

    /// The last change, in Unix microseconds.
    pub(crate) fn modified_us(&self) -> Option<i64> {
        self.state.modified_us
    }

    /// True if it can be read in any order.
    pub(super) fn takes_ranges(&self) -> bool {
        self.state.ranges
    }

    /// Its address after redirects.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Copies bytes at the reader's position from memory, if they are there.
    fn read_cached(&self, buffer: &mut [u8]) -> Option<usize> {
        let tail_at = self.state.length.unwrap_or(u64::MAX) - self.tail.len() as u64;
        let from = |cached: &'_ [u8], at: u64| -> Option<Range<usize>> {
            let at = usize::try_from(self.at.checked_sub(at)?).ok()?;
            (at < cached.len()).then_some(at..cached.len())
        };
        let cached = match (from(&self.head, 0), from(&self.tail, tail_at)) {
            (Some(range), _) => &self.head[range],
            (None, Some(range)) => &self.tail[range],
            (None, None) => return None,
        };
        let count = cached.len().min(buffer.len());
        buffer[..count].copy_from_slice(&cached[..count]);
        Some(count)
    }

    fn fetch(&mut self, buffer: &mut [u8]) -> Result<usize, FetchError> {
        let mut breaks = 0;
        loop {
            let error = match self.fetch_once(buffer) {
                Err(error) if error.is_transient() => error,
                result => return result,
            };
            self.connection = None;
            breaks += 1;
            if breaks > BREAKS {
                return Err(error);
            }
            if !self.state.ranges && self.at > 0 {
                return Err(FetchError::NoRange {
                    place: self.place(),
                    at: self.at,
                });
            }
            self.client.pause(Duration::from_millis(250) * breaks)?;
        }
    }

    fn fetch_once(&mut self, buffer: &mut [u8]) -> Result<usize, FetchError> {
        let mut connection = match self.connection.take() {
            Some(connection) if connection.at <= self.at && self.at - connection.at <= SKIP => {
                connection
            }
            _ => self.reconnect()?,
        };
        loop {
            if connection.rest.is_empty() {
                match self.client.next_bytes(&mut connection.body) {
                    Ok(Some(bytes)) => connection.rest = bytes,
                    Ok(None) if self.has_more(&connection) => connection = self.reconnect()?,
                    Ok(None) => return self.finish(connection.at),
                    Err(FetchError::Broken { place, source, .. }) => {
                        let at = connection.at;
                        return Err(FetchError::Broken { place, at, source });
                    }
                    Err(error) => return Err(error),
                }
            }
            let skip = usize::try_from(self.at - connection.at).unwrap_or(usize::MAX);
            let skip = skip.min(connection.rest.len());
            connection.rest.advance(skip);
            connection.at += skip as u64;
            if connection.at < self.at || connection.rest.is_empty() {
                continue;
            }
            let count = connection.rest.len().min(buffer.len());
            connection.rest.copy_to_slice(&mut buffer[..count]);
            connection.at += count as u64;
            self.at = connection.at;
            self.connection = Some(connection);
            return Ok(count);
        }
    }

    /// True if the server sent all of a piece that is shorter than requested.
    fn has_more(&self, finished: &Connection) -> bool {
        finished.body.partial
            && finished.body.end == Some(finished.at)
            && self.state.length.is_some_and(|length| finished.at < length)
    }

    /// An end before the announced length is a broken connection.
    fn finish(&mut self, at: u64) -> Result<usize, FetchError> {
        match self.state.length {
            Some(length) if at < length => Err(FetchError::Broken {
                place: self.place(),
                at,
                source: None,
            }),
            _ => {
                self.end = Some(at);
                Ok(0)
            }
        }
    }

    /// A new connection at the reader's position.
    fn reconnect(&self) -> Result<Connection, FetchError> {
        let place = self.place();
        let body = self.client.get(&self.url, self.at, None)?;
        if body.length != self.state.length || body.validator != self.state.validator {
            return Err(FetchError::Changed { place });
        }
        if !body.partial && self.at > 0 {
            return Err(FetchError::NoRange { place, at: self.at });
        }
        Ok(Connection {
            body,
            at: self.at,
            rest: Bytes::new(),
        })
    }

    fn place(&self) -> String {
        redacted(&self.url)
    }
}

impl Read for HttpFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.state.length.or(self.end);
        if buffer.is_empty() || end.is_some_and(|end| self.at >= end) {
            return Ok(0);
        }
        if let Some(count) = self.read_cached(buffer) {
            self.at += count as u64;
            return Ok(count);
        }
        self.fetch(buffer).map_err(FetchError::into_io)
    }
}

impl Seek for HttpFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let end = self.state.length.unwrap_or(u64::MAX);
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => end.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
