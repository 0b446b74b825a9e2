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

use crispy_proto::{id::Run, v1::ClockOrigin};
use crispy_runtime::cut::{Audio, Container, CutFlags};
use sha2::{Digest, Sha256};

/// Bytes read from each end of a file. Both ends of every container differ from recording to recording: its header or its index.
pub(crate) const SAMPLE: u64 = 1 << 20;

/// By what a source is known again, wherever it lies: a file on a disk and the same file on a server have the same hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Over what it is.
    pub hash: [u8; 32],
    /// When it began, as what leads to it says (a playlist's date), in Unix microseconds.
    pub started_us: Option<i64>,
    /// When it was last written, in Unix microseconds.
    pub modified_us: Option<i64>,
}

impl Mark {
    /// Reads both ends of the file at `path`.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let about = file.metadata()?;
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        (&mut file).take(SAMPLE).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(about.len().saturating_sub(SAMPLE)))?;
        file.take(SAMPLE).read_to_end(&mut tail)?;
        Ok(Self {
            hash: Self::of_file(about.len(), &head, &tail),
            started_us: None,
            modified_us: Some(modified_us(&about)?),
        })
    }

    /// The hash of a file of `length` bytes that begins and ends so. Where its end cannot be read by itself, `tail` is whatever else
    /// tells it from others.
    pub fn of_file(length: u64, head: &[u8], tail: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(length.to_le_bytes());
        hash.update(head);
        hash.update(tail);
        hash.finalize().into()
    }
}

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
    /// What a source that is known by `mark` is when it is cut so.
    ///
    /// `creation_us` is the creation time in the container, if it has one. A playlist's date goes before it, for whoever made the
    /// playlist set both; the time of the last change counts where there is neither. Without any, it is `now_us`, and sent again
    /// it will be another recording.
    pub fn new(
        mark: &Mark,
        creation_us: Option<i64>,
        cut: &CutFlags,
        muxer: &str,
        now_us: i64,
    ) -> Self {
        let writer = format!("{muxer}{}", choices(cut));
        let mut hash = Sha256::new();
        hash.update(mark.hash);
        hash.update(cut.window.as_nanos().to_le_bytes());
        hash.update(writer);
        let clocks = [
            (mark.started_us, ClockOrigin::Playlist),
            (creation_us, ClockOrigin::FileCreation),
            (mark.modified_us, ClockOrigin::FileModified),
        ];
        let told = clocks
            .into_iter()
            .find_map(|(us, origin)| Some((us?, origin)));
        let (start_us, origin) = told.unwrap_or((now_us, ClockOrigin::Host));
        Self {
            start_us: start_us.max(0),
            origin,
            hash: hash.finalize().into(),
        }
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
        let mark = Mark::read(file.path()).unwrap();
        FileIdentity::new(&mark, Some(1_000_000), cut, muxer, 0)
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
        let mark = Mark::read(file.path()).unwrap();
        let identity = FileIdentity::new(&mark, None, &CUT, "a", 0);
        assert_eq!(
            (identity.start_us, identity.origin),
            (1_700_000_000_123_456, ClockOrigin::FileModified)
        );
    }

    #[test]
    fn the_clock_is_the_playlists_then_the_containers_then_the_servers_then_ours() {
        let clock = |started_us, creation_us, modified_us| {
            let hash = [0; 32];
            let mark = Mark {
                hash,
                started_us,
                modified_us,
            };
            let identity = FileIdentity::new(&mark, creation_us, &CUT, "a", 4);
            (identity.start_us, identity.origin)
        };
        let (one, two, three) = (Some(1), Some(2), Some(3));
        assert_eq!(clock(one, two, three), (1, ClockOrigin::Playlist));
        assert_eq!(clock(None, two, three), (2, ClockOrigin::FileCreation));
        assert_eq!(clock(None, None, three), (3, ClockOrigin::FileModified));
        assert_eq!(clock(None, None, None), (4, ClockOrigin::Host));
    }
}
