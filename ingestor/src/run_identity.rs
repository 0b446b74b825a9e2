//! Which run a source's timeline is.
//!
//! A file's run follows from the file: when its clock starts, and a hash over what it is and how it is cut. The same file sent again,
//! by anybody, gives the same run, so the same keys and the same bytes, and nothing is uploaded twice. Change the file, the window or
//! the muxer and the bytes would differ: then it is another run, and nothing is overwritten.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use proto::{id::Run, v1::ClockOrigin};
use sha2::{Digest, Sha256};

/// Bytes read from each end of a file. Both ends of every container differ from recording to recording: its header or its index.
const SAMPLE: u64 = 1 << 20;

/// What makes a file's runs what they are: taken once, before the first chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    /// When the file's clock starts, in Unix microseconds.
    pub start_us: i64,
    /// Where that time comes from.
    pub origin: ClockOrigin,
    hash: [u8; 32],
}

impl FileIdentity {
    /// Reads both ends of the file at `path`.
    ///
    /// `creation_us` is the creation time in the container, if it has one; else the file's modification time counts.
    pub fn read(
        path: &Path,
        creation_us: Option<i64>,
        window: Duration,
        muxer: &str,
    ) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let about = file.metadata()?;
        let mut hash = Sha256::new();
        hash.update(about.len().to_le_bytes());
        hash.update(window.as_nanos().to_le_bytes());
        hash.update((muxer.len() as u64).to_le_bytes());
        hash.update(muxer);
        let mut sample = Vec::new();
        (&mut file).take(SAMPLE).read_to_end(&mut sample)?;
        hash.update(&sample);
        file.seek(SeekFrom::Start(about.len().saturating_sub(SAMPLE)))?;
        sample.clear();
        file.take(SAMPLE).read_to_end(&mut sample)?;
        hash.update(&sample);

        let (start_us, origin) = match creation_us {
            Some(created) => (created, ClockOrigin::FileCreation),
            None => (modified_us(&about)?, ClockOrigin::FileModified),
        };
        Ok(Self {
            start_us: start_us.max(0),
            origin,
            hash: hash.finalize().into(),
        })
    }

    /// The file's `index`-th run: it has more than one if its clock jumps.
    pub fn run(&self, index: u32, start_us: i64) -> Run {
        let mut hash = Sha256::new();
        hash.update(self.hash);
        hash.update(index.to_le_bytes());
        let mut identity = [0; 10];
        identity.copy_from_slice(&hash.finalize()[..10]);
        Run::new(u64::try_from(start_us / 1000).unwrap_or(0), identity)
    }
}

/// A file from before 1970 starts in 1970: keys reach no further back.
fn modified_us(about: &std::fs::Metadata) -> io::Result<i64> {
    let since = about
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(3);

    fn identity(content: &[u8], window: Duration, muxer: &str) -> FileIdentity {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        FileIdentity::read(file.path(), Some(1_000_000), window, muxer).unwrap()
    }

    fn run(identity: &FileIdentity) -> String {
        identity.run(0, identity.start_us).to_string()
    }

    #[test]
    fn the_same_file_cut_the_same_way_is_the_same_run() {
        let content = vec![7; 3 << 20];
        assert_eq!(
            identity(&content, WINDOW, "a"),
            identity(&content, WINDOW, "a")
        );
    }

    #[test]
    fn another_end_length_window_or_muxer_is_another_run() {
        let content = vec![7; 3 << 20];
        let usual = run(&identity(&content, WINDOW, "a"));
        let mut other_end = content.clone();
        *other_end.last_mut().unwrap() = 8;
        assert_ne!(usual, run(&identity(&other_end, WINDOW, "a")));
        assert_ne!(usual, run(&identity(&content[1..], WINDOW, "a")));
        assert_ne!(usual, run(&identity(&content, WINDOW * 2, "a")));
        assert_ne!(usual, run(&identity(&content, WINDOW, "b")));
    }

    #[test]
    fn runs_of_one_file_differ_and_start_with_their_time() {
        let identity = identity(b"short", WINDOW, "a");
        let (first, second) = (identity.run(0, 5_000_000), identity.run(1, 9_000_000));
        assert_eq!((first.start_ms(), second.start_ms()), (5_000, 9_000));
        assert_ne!(first.to_string()[10..], second.to_string()[10..]);
    }

    #[test]
    fn a_file_without_creation_time_starts_when_it_was_last_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let written = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
        file.as_file().set_modified(written).unwrap();
        let identity = FileIdentity::read(file.path(), None, WINDOW, "a").unwrap();
        assert_eq!(
            (identity.start_us, identity.origin),
            (1_700_000_000_123_456, ClockOrigin::FileModified)
        );
    }
}
