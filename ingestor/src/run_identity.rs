//! Which run a source's timeline is.
//!
//! A file's run follows from the file: when its clock starts, and a hash over what it is and how it is cut. The same file sent again,
//! by anybody, gives the same run, so the same keys and the same bytes, and nothing is uploaded twice. Change the file, the window or
//! the muxer and the bytes would differ: then it is another run, and nothing is overwritten.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    time::UNIX_EPOCH,
};

use daemon::cut::{Audio, Container, CutFlags};
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
        cut: &CutFlags,
        muxer: &str,
    ) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let about = file.metadata()?;
        let mut hash = Sha256::new();
        hash.update(about.len().to_le_bytes());
        let writer = format!("{muxer}{}", choices(cut));
        hash.update(cut.window.as_nanos().to_le_bytes());
        hash.update((writer.len() as u64).to_le_bytes());
        hash.update(writer);
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

/// What is chosen beside the window, in words; nothing for the defaults.
fn choices(cut: &CutFlags) -> String {
    let audio = match cut.audio {
        Audio::Drop => "",
        Audio::Keep => ", with sound",
    };
    let container = match cut.container {
        Container::Auto => "",
        Container::Mp4 => ", in mp4",
        Container::Mkv => ", in mkv",
        Container::Ts => ", in ts",
    };
    format!("{audio}{container}")
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
    use std::time::Duration;

    use super::*;

    const CUT: CutFlags = CutFlags {
        window: Duration::from_secs(3),
        audio: Audio::Drop,
        container: Container::Auto,
    };

    fn identity(content: &[u8], cut: &CutFlags, muxer: &str) -> FileIdentity {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        FileIdentity::read(file.path(), Some(1_000_000), cut, muxer).unwrap()
    }

    fn run(identity: &FileIdentity) -> String {
        identity.run(0, identity.start_us).to_string()
    }

    #[test]
    fn the_same_file_cut_the_same_way_is_the_same_run() {
        let content = vec![7; 3 << 20];
        assert_eq!(identity(&content, &CUT, "a"), identity(&content, &CUT, "a"));
    }

    #[test]
    fn another_end_length_cut_or_muxer_is_another_run() {
        let content = vec![7; 3 << 20];
        let usual = run(&identity(&content, &CUT, "a"));
        let mut other_end = content.clone();
        *other_end.last_mut().unwrap() = 8;
        assert_ne!(usual, run(&identity(&other_end, &CUT, "a")));
        assert_ne!(usual, run(&identity(&content[1..], &CUT, "a")));
        let other_cuts = [
            CutFlags {
                window: CUT.window * 2,
                ..CUT
            },
            CutFlags {
                audio: Audio::Keep,
                ..CUT
            },
            CutFlags {
                container: Container::Mkv,
                ..CUT
            },
        ];
        for cut in other_cuts {
            assert_ne!(usual, run(&identity(&content, &cut, "a")), "{cut:?}");
        }
        assert_ne!(usual, run(&identity(&content, &CUT, "b")));
    }

    #[test]
    fn runs_of_one_file_differ_and_start_with_their_time() {
        let identity = identity(b"short", &CUT, "a");
        let (first, second) = (identity.run(0, 5_000_000), identity.run(1, 9_000_000));
        assert_eq!((first.start_ms(), second.start_ms()), (5_000, 9_000));
        assert_ne!(first.to_string()[10..], second.to_string()[10..]);
    }

    #[test]
    fn a_file_without_creation_time_starts_when_it_was_last_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let written = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
        file.as_file().set_modified(written).unwrap();
        let identity = FileIdentity::read(file.path(), None, &CUT, "a").unwrap();
        assert_eq!(
            (identity.start_us, identity.origin),
            (1_700_000_000_123_456, ClockOrigin::FileModified)
        );
    }
}
