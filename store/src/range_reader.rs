//! Reading a little of an object as if it were a file.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use tokio::runtime::Handle;

use crate::Bucket;

/// Bytes of the first request, and of every one after a jump.
///
/// An mp4 chunk begins with its index, some 48 bytes a packet: 32 KiB hold the index of more than 600 packets, which is 10 s of
/// video at 30 frames/s with sound, so that one request is enough for most questions. It is also the buffer of FFmpeg's own readers.
pub const FIRST: u64 = 32 * 1024;

/// The most that is asked for at once. Reading on doubles the request up to here: whoever reads it all needs few requests, and memory
/// stays small.
const LARGEST: u64 = 1024 * 1024;

type Fetch = Box<dyn FnMut(Range<u64>) -> io::Result<Bytes> + Send>;

/// An object as `Read + Seek`, for code that waits: it fetches what is read, and keeps the latest block.
///
/// Guarantees: it never asks beyond the object's end, nor twice for bytes of the block at hand; seeking costs nothing until something
/// is read. Its [`Traffic`] can be looked at after the reader was given away.
pub struct RangeReader {
    fetch: Fetch,
    size: u64,
    position: u64,
    block: Bytes,
    /// Where in the object the block begins.
    start: u64,
    /// Bytes of the next request.
    step: u64,
    first: u64,
    traffic: Traffic,
}

impl RangeReader {
    /// A reader of `size` bytes, which `fetch` gets: all of the range it is asked for, or an error.
    pub fn new(
        size: u64,
        fetch: impl FnMut(Range<u64>) -> io::Result<Bytes> + Send + 'static,
    ) -> Self {
        Self {
            fetch: Box::new(fetch),
            size,
            position: 0,
            block: Bytes::new(),
            start: 0,
            step: FIRST,
            first: FIRST,
            traffic: Traffic::default(),
        }
    }

    /// A reader of an object of `size` bytes. For threads that may block: on a thread of the runtime itself, reading panics.
    pub fn over(bucket: Bucket, key: String, size: u64, runtime: Handle) -> Self {
        Self::new(size, move |range| {
            let got = runtime.block_on(bucket.get_range(&key, range));
            got.map_err(io::Error::other)
        })
    }

    /// With another size of the first request, in bytes and at least 1: where a descriptor says how long the index is.
    #[must_use]
    pub fn with_first(mut self, first: u64) -> Self {
        self.first = first.max(1);
        self.step = self.first;
        self
    }

    /// Counts what it fetches, now and later.
    pub fn traffic(&self) -> Traffic {
        self.traffic.clone()
    }

    /// The part of the block from the position on.
    fn at_hand(&self) -> &[u8] {
        let offset = self.position.checked_sub(self.start);
        let offset = offset.and_then(|offset| usize::try_from(offset).ok());
        offset
            .and_then(|offset| self.block.get(offset..))
            .unwrap_or_default()
    }

    fn fetch_at_position(&mut self, wanted: u64) -> io::Result<()> {
        let block_end = self.start + self.block.len() as u64;
        let reads_on = self.position == block_end && !self.block.is_empty();
        self.step = if reads_on {
            (self.step * 2).min(LARGEST)
        } else {
            self.first
        };
        let len = self
            .step
            .max(wanted.min(LARGEST))
            .min(self.size - self.position);
        let range = self.position..self.position + len;
        let block = (self.fetch)(range.clone())?;
        self.traffic.0.reads.fetch_add(1, Relaxed);
        self.traffic.0.bytes.fetch_add(block.len() as u64, Relaxed);
        if block.len() as u64 != len {
            let got = block.len();
            let cut = format!(
                "asked for bytes {} to {}, got {got}",
                range.start, range.end
            );
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cut));
        }
        (self.block, self.start) = (block, self.position);
        Ok(())
    }
}

impl Read for RangeReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() || self.position >= self.size {
            return Ok(0);
        }
        if self.at_hand().is_empty() {
            self.fetch_at_position(into.len() as u64)?;
        }
        let at_hand = self.at_hand();
        let len = at_hand.len().min(into.len());
        into[..len].copy_from_slice(&at_hand[..len]);
        self.position += len as u64;
        Ok(len)
    }
}

impl Seek for RangeReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the start"))?;
        Ok(self.position)
    }
}

impl std::fmt::Debug for RangeReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("RangeReader");
        shown
            .field("size", &self.size)
            .field("position", &self.position);
        shown
            .field("traffic", &self.traffic)
            .finish_non_exhaustive()
    }
}

/// What a reader has fetched so far. Clones count the same.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    /// Requests that were answered.
    pub fn reads(&self) -> u64 {
        self.0.reads.load(Relaxed)
    }

    /// Bytes that came.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }
}
