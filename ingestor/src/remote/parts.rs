//! The parts of a playlist, one after another.

use std::{
    collections::VecDeque,
    io::{self, Read},
};

use sha2::{Digest, Sha256};

use super::{
    failure::FetchError,
    fetcher::Fetcher,
    playlist::{Part, Plan},
};

/// Bytes of one part at most: ten seconds of the best camera have a tenth of that.
const MOST: u64 = 256 << 20;

/// The bytes of all parts, joined.
///
/// Each part is held whole in memory while it is read, so that it is all there or is asked for again. One that does not come fails
/// the reading: nothing is passed over.
#[derive(Debug)]
pub(super) struct Parts {
    fetcher: Fetcher,
    next: VecDeque<Part>,
    now: io::Cursor<Vec<u8>>,
}

impl Parts {
    /// Fetches the first part and the last, and tells by what hash the recording is known.
    ///
    /// The playlist alone would not do: two recordings' may be the same letter for letter (`segment0.ts`, 6 s; `segment1.ts`, 6 s).
    pub(super) fn begin(fetcher: Fetcher, plan: Plan) -> Result<(Self, [u8; 32]), FetchError> {
        let mut hash = Sha256::new();
        hash.update((plan.canonical.len() as u64).to_le_bytes());
        hash.update(&plan.canonical);
        let mut next = VecDeque::from(plan.parts);
        let mut now = Vec::new();
        if let Some(first) = next.pop_front() {
            now = first.fetch(&fetcher)?;
            hash.update(Sha256::digest(&now));
        }
        if let Some(last) = next.back() {
            hash.update(Sha256::digest(last.fetch(&fetcher)?));
        }
        let parts = Self {
            fetcher,
            next,
            now: io::Cursor::new(now),
        };
        Ok((parts, hash.finalize().into()))
    }
}

impl Part {
    fn fetch(&self, fetcher: &Fetcher) -> Result<Vec<u8>, FetchError> {
        fetcher.whole(&self.url, self.range.clone(), MOST)
    }
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.now.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(part) = self.next.pop_front() else {
                return Ok(0);
            };
            let bytes = part.fetch(&self.fetcher).map_err(FetchError::into_io)?;
            self.now = io::Cursor::new(bytes);
        }
    }
}
