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

use crate::{Asked, Bucket};

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

    /// A reader of an object of `size` bytes. For threads that may block: on a thread of the runtime itself, reading panics. What it asks of the
    /// store is told by the span in which it is made ([`Bucket::in_span`]).
    pub fn over(bucket: Bucket, key: String, size: u64, runtime: Handle) -> Self {
        let asked = Asked::current();
        Self::new(size, move |range| {
            let getting = Arc::clone(&asked).within(bucket.get_range(&key, range));
            let got = runtime.block_on(getting);
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use proptest::prelude::*;

    type Asked = Arc<Mutex<Vec<Range<u64>>>>;

    /// A reader of `len` bytes, each its place modulo 251, that writes down what it is asked for.
    fn reader(len: u64) -> (RangeReader, Asked) {
        let asked = Asked::default();
        let log = Arc::clone(&asked);
        let reader = RangeReader::new(len, move |range| {
            log.lock().unwrap().push(range.clone());
            Ok(range.map(|at| (at % 251) as u8).collect())
        });
        (reader, asked)
    }

    #[test]
    fn a_small_question_takes_one_request() {
        let (mut reader, asked) = reader(1_500_000);
        let traffic = reader.traffic();
        let mut header = [0; 8];
        for at in [0, 100, FIRST - 8] {
            reader.seek(SeekFrom::Start(at)).unwrap();
            reader.read_exact(&mut header).unwrap();
        }
        assert_eq!(*asked.lock().unwrap(), vec![0..FIRST]);
        assert_eq!((traffic.reads(), traffic.bytes()), (1, FIRST));
    }

    #[test]
    fn reading_on_asks_for_more_and_more_at_once() {
        let (mut reader, asked) = reader(4 << 20);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        let sizes: Vec<u64> = asked
            .lock()
            .unwrap()
            .iter()
            .map(|range| (range.end - range.start) >> 10)
            .collect();
        assert_eq!(sizes, [32, 64, 128, 256, 512, 1024, 1024, 1024, 32]);
    }

    #[test]
    fn a_jump_starts_small_again_and_seeking_alone_asks_nothing() {
        let (mut reader, asked) = reader(1 << 20);
        assert_eq!(reader.seek(SeekFrom::End(-10)).unwrap(), (1 << 20) - 10);
        assert_eq!(reader.seek(SeekFrom::Current(-10)).unwrap(), (1 << 20) - 20);
        assert!(reader.seek(SeekFrom::Current(-(2 << 20))).is_err());
        assert!(asked.lock().unwrap().is_empty());
        assert_eq!(reader.read(&mut [0; 100]).unwrap(), 20);
        reader.seek(SeekFrom::Start(500)).unwrap();
        reader.read_exact(&mut [0; 1]).unwrap();
        let end = 1 << 20;
        assert_eq!(
            *asked.lock().unwrap(),
            vec![end - 20..end, 500..500 + FIRST]
        );
    }

    #[test]
    fn the_first_request_can_be_as_long_as_the_index() {
        let (reader, asked) = reader(1 << 20);
        reader.with_first(4321).read_exact(&mut [0; 5]).unwrap();
        assert_eq!(*asked.lock().unwrap(), vec![0..4321]);
    }

    #[test]
    fn bytes_that_do_not_come_are_an_error_and_not_an_end() {
        let mut reader = RangeReader::new(100, |_| Ok(Bytes::from_static(b"short")));
        let error = reader.read(&mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(error.to_string(), "asked for bytes 0 to 100, got 5");
    }

    #[test]
    fn an_object_of_a_bucket_reads_like_a_file() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let bucket = Bucket::open("memory://").unwrap();
        let bytes: Bytes = (0..100_000_u32).map(|at| at as u8).collect();
        let sums = crispy_checksum::Checksums::new(&bytes);
        let metadata = crate::Metadata::new();
        let put = runtime.block_on(bucket.put_once("a/b", bytes.clone(), &sums, &metadata));
        let _ = put.unwrap();
        let size = bytes.len() as u64;
        let mut reader = RangeReader::over(
            bucket.clone(),
            "a/b".to_owned(),
            size,
            runtime.handle().clone(),
        );
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
        let mut absent =
            RangeReader::over(bucket, "a/c".to_owned(), size, runtime.handle().clone());
        let error = absent.read(&mut [0; 1]).unwrap_err();
        assert!(error.to_string().contains("no such object"), "{error}");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Seek(u64),
        Read(usize),
    }

    proptest! {
        /// Against a cursor over the same bytes.
        #[test]
        fn it_reads_what_a_file_would(
            len in 0..300_000_u64,
            steps in proptest::collection::vec(
                prop_oneof![(0..320_000_u64).prop_map(Step::Seek), (0..100_000_usize).prop_map(Step::Read)],
                0..20,
            ),
        ) {
            let (mut reader, asked) = reader(len);
            let whole: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let mut file = io::Cursor::new(&whole);
            for step in steps {
                match step {
                    Step::Seek(to) => prop_assert_eq!(reader.seek(SeekFrom::Start(to)).unwrap(), file.seek(SeekFrom::Start(to)).unwrap()),
                    Step::Read(wanted) => {
                        let (mut got, mut expected) = (Vec::new(), Vec::new());
                        (&mut reader).take(wanted as u64).read_to_end(&mut got).unwrap();
                        (&mut file).take(wanted as u64).read_to_end(&mut expected).unwrap();
                        prop_assert_eq!(got, expected);
                    }
                }
            }
            prop_assert!(asked.lock().unwrap().iter().all(|range| !range.is_empty() && range.end <= len));
        }
    }
}
