//! The segments of a playlist as one stream of bytes.

use std::{
    collections::VecDeque,
    io::{self, Read},
};

use sha2::{Digest, Sha256};

use super::playlist::{Plan, Segment};
use crate::{FetchError, http::HttpClient};

/// Bytes of one segment at most: ten seconds of the best camera have a tenth of that.
const SEGMENT_LIMIT: u64 = 256 << 20;

/// The bytes of all segments, joined.
///
/// Each segment is held whole in memory while it is read, so that it is complete or is requested
/// again. A missing one is an error: none is skipped.
#[derive(Debug)]
pub(super) struct Segments {
    client: HttpClient,
    next: VecDeque<Segment>,
    current: io::Cursor<Vec<u8>>,
}

impl Segments {
    /// Fetches the first segment and the last, and hashes them with the playlist.
    ///
    /// The playlist alone would not do: those of two recordings may be the same letter for letter
    /// (`segment0.ts`, 6 s; `segment1.ts`, 6 s).
    pub(super) fn open(client: HttpClient, plan: Plan) -> Result<(Self, [u8; 32]), FetchError> {
        let mut hash = Sha256::new();
        hash.update((plan.canonical.len() as u64).to_le_bytes());
        hash.update(&plan.canonical);
        let mut next = VecDeque::from(plan.segments);
        let mut current = Vec::new();
        if let Some(first) = next.pop_front() {
            current = first.fetch(&client)?;
            hash.update(Sha256::digest(&current));
        }
        if let Some(last) = next.back() {
            hash.update(Sha256::digest(last.fetch(&client)?));
        }
        let segments = Self {
            client,
            next,
            current: io::Cursor::new(current),
        };
        Ok((segments, hash.finalize().into()))
    }
}

impl Segment {
    fn fetch(&self, client: &HttpClient) -> Result<Vec<u8>, FetchError> {
        client.fetch_whole(&self.url, self.range.clone(), SEGMENT_LIMIT)
    }
}

impl Read for Segments {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.current.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(segment) = self.next.pop_front() else {
                return Ok(0);
            };
            let bytes = segment.fetch(&self.client).map_err(FetchError::into_io)?;
            self.current = io::Cursor::new(bytes);
        }
    }
}
