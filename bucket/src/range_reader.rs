//! Objects read in ranges, as if they were files.

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

use crate::{Bucket, request_log::SpanRequests};

/// Bytes of the first request, and of every request after a jump.
///
/// An mp4 chunk begins with its index, some 48 bytes a packet: 32 KiB hold the index of more than
/// 600 packets, which is 10 s of video at 30 frames/s with sound, so that one request is enough for
/// most probes. It is also the buffer size of FFmpeg's own readers.
pub const FIRST_REQUEST: u64 = 32 * 1024;

/// The largest request in bytes. Sequential reading doubles the request up to this: a whole object
/// takes few requests, and memory stays small.
const MAX_REQUEST: u64 = 1024 * 1024;

type Fetch = Box<dyn FnMut(Range<u64>) -> io::Result<Bytes> + Send>;

/// An object as `Read + Seek`, for blocking code: it fetches ranges on demand, and keeps the latest
/// block.
///
/// Guarantees: it never requests bytes beyond the object's end, nor bytes of the current block
/// again. A seek alone sends nothing. Its [`Traffic`] stays readable after the reader was moved.
pub struct RangeReader {
    fetch: Fetch,
    size: u64,
    position: u64,
    block: Bytes,
    /// The block's position in the object.
    start: u64,
    /// Bytes of the next request.
    step: u64,
    traffic: Traffic,
}

impl RangeReader {
    /// A reader of `size` bytes. `fetch` returns all of the requested range, or an error.
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
            step: FIRST_REQUEST,
            traffic: Traffic::default(),
        }
    }

    /// A reader of an object of `size` bytes, for threads that may block: on a thread of the
    /// runtime itself, reading panics. Its requests are recorded in the span in which it is created
    /// ([`Bucket::in_span`]).
    pub fn for_object(bucket: Bucket, key: String, size: u64, runtime: Handle) -> Self {
        let span = SpanRequests::current();
        Self::new(size, move |range| {
            let get = bucket.get_range(&key, range);
            let bytes = match &span {
                Some(span) => runtime.block_on(Arc::clone(span).scope(get)),
                None => runtime.block_on(get),
            };
            bytes.map_err(io::Error::other)
        })
    }

    /// A counter of its requests, past and future.
    pub fn traffic(&self) -> Traffic {
        self.traffic.clone()
    }

    /// The part of the block from the position on.
    fn buffered(&self) -> &[u8] {
        let offset = self.position.checked_sub(self.start);
        let offset = offset.and_then(|offset| usize::try_from(offset).ok());
        offset
            .and_then(|offset| self.block.get(offset..))
            .unwrap_or_default()
    }

    fn fetch_at_position(&mut self, wanted: u64) -> io::Result<()> {
        let block_end = self.start + self.block.len() as u64;
        let is_sequential = self.position == block_end && !self.block.is_empty();
        self.step = if is_sequential {
            (self.step * 2).min(MAX_REQUEST)
        } else {
            FIRST_REQUEST
        };
        let len = self
            .step
            .max(wanted.min(MAX_REQUEST))
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
        if self.buffered().is_empty() {
            self.fetch_at_position(into.len() as u64)?;
        }
        let buffered = self.buffered();
        let len = buffered.len().min(into.len());
        into[..len].copy_from_slice(&buffered[..len]);
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
        f.debug_struct("RangeReader")
            .field("size", &self.size)
            .field("position", &self.position)
            .field("traffic", &self.traffic)
            .finish_non_exhaustive()
    }
}

/// A counter of a reader's requests and bytes. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl Traffic {
    /// Answered requests.
    pub fn reads(&self) -> u64 {
        self.0.reads.load(Relaxed)
    }

    /// Bytes received.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use proptest::prelude::*;

    type Requests = Arc<Mutex<Vec<Range<u64>>>>;

    /// A reader of `len` bytes, each its position modulo 251, and the log of its requests.
    fn reader(len: u64) -> (RangeReader, Requests) {
        let requests = Requests::default();
        let log = Arc::clone(&requests);
        let reader = RangeReader::new(len, move |range| {
            log.lock().unwrap().push(range.clone());
            Ok(range.map(|at| (at % 251) as u8).collect())
        });
        (reader, requests)
    }

    #[test]
    fn a_small_read_takes_one_request() {
        let (mut reader, requests) = reader(1_500_000);
        let traffic = reader.traffic();
        let mut header = [0; 8];
        for at in [0, 100, FIRST_REQUEST - 8] {
            reader.seek(SeekFrom::Start(at)).unwrap();
            reader.read_exact(&mut header).unwrap();
        }
        assert_eq!(*requests.lock().unwrap(), vec![0..FIRST_REQUEST]);
        assert_eq!((traffic.reads(), traffic.bytes()), (1, FIRST_REQUEST));
    }

    #[test]
    fn sequential_reads_double_the_request() {
        let (mut reader, requests) = reader(4 << 20);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        let sizes: Vec<u64> = requests
            .lock()
            .unwrap()
            .iter()
            .map(|range| (range.end - range.start) >> 10)
            .collect();
        assert_eq!(sizes, [32, 64, 128, 256, 512, 1024, 1024, 1024, 32]);
    }

    #[test]
    fn a_jump_starts_small_and_a_seek_sends_nothing() {
        let (mut reader, requests) = reader(1 << 20);
        assert_eq!(reader.seek(SeekFrom::End(-10)).unwrap(), (1 << 20) - 10);
        assert_eq!(reader.seek(SeekFrom::Current(-10)).unwrap(), (1 << 20) - 20);
        assert!(reader.seek(SeekFrom::Current(-(2 << 20))).is_err());
        assert!(requests.lock().unwrap().is_empty());
        assert_eq!(reader.read(&mut [0; 100]).unwrap(), 20);
        reader.seek(SeekFrom::Start(500)).unwrap();
        reader.read_exact(&mut [0; 1]).unwrap();
        let end = 1 << 20;
        assert_eq!(
            *requests.lock().unwrap(),
            vec![end - 20..end, 500..500 + FIRST_REQUEST]
        );
    }

    #[test]
    fn missing_bytes_are_an_error_and_no_end() {
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
        let mut reader = RangeReader::for_object(
            bucket.clone(),
            "a/b".to_owned(),
            size,
            runtime.handle().clone(),
        );
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
        let mut absent =
            RangeReader::for_object(bucket, "a/c".to_owned(), size, runtime.handle().clone());
        let error = absent.read(&mut [0; 1]).unwrap_err();
        let chain = crispy_fault::chain(&error);
        assert!(chain.contains("no such object"), "{chain}");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Seek(u64),
        Read(usize),
    }

    proptest! {
        /// Against a cursor over the same bytes.
        #[test]
        fn it_reads_as_a_file_does(
            len in 0..300_000_u64,
            steps in proptest::collection::vec(
                prop_oneof![(0..320_000_u64).prop_map(Step::Seek), (0..100_000_usize).prop_map(Step::Read)],
                0..20,
            ),
        ) {
            let (mut reader, requests) = reader(len);
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
            prop_assert!(requests.lock().unwrap().iter().all(|range| !range.is_empty() && range.end <= len));
        }
    }
}
