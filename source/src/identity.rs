//! Run identities: the names of a source's timelines.
//!
//! A file's runs follow from the file: the start of its clock, and a hash over its content and the
//! way it is cut. The same file ingested again, on any host, gives the same runs, keys and bytes,
//! and nothing is uploaded twice. Another file, window or muxer would give other bytes, so it gives
//! another run and overwrites nothing.

use crispy_media::{Audio, Container, OpenOptions};
use crispy_proto::{id::Run, v1::ClockOrigin};
use sha2::{Digest, Sha256};

use crate::fingerprint::Fingerprint;

/// The start of a timeline on the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    /// Time of the first shown frame, in Unix microseconds.
    pub start_us: i64,
    /// The origin of that time.
    pub origin: ClockOrigin,
}

/// Names the runs of one source. Taken once, before the first chunk.
///
/// A recording knows nothing else about the kind of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunIdentity {
    clock: WallClock,
    hash: [u8; 32],
}

impl RunIdentity {
    /// The identity of a source with this fingerprint when it is cut with these options.
    ///
    /// Its clock starts at the date of its playlist, else at `created_us`, the creation time in its
    /// container: the author of a playlist has set both. The last change comes next. Without any of
    /// them it starts at `now_us`, and ingesting the source again makes another recording.
    pub(crate) fn new(
        fingerprint: &Fingerprint,
        created_us: Option<i64>,
        options: &OpenOptions,
        muxer: &str,
        now_us: i64,
    ) -> Self {
        let mut hash = Sha256::new();
        hash.update(fingerprint.hash);
        hash.update(options.window.as_nanos().to_le_bytes());
        hash.update(format!("{muxer}{}", non_default(options)));
        let clocks = [
            (fingerprint.started_us, ClockOrigin::Playlist),
            (created_us, ClockOrigin::FileCreation),
            (fingerprint.modified_us, ClockOrigin::FileModified),
        ];
        let mut known = clocks
            .into_iter()
            .filter_map(|(us, origin)| us.map(|us| (us, origin)));
        let (start_us, origin) = known.next().unwrap_or((now_us, ClockOrigin::Host));
        Self {
            clock: WallClock {
                start_us: start_us.max(0),
                origin,
            },
            hash: hash.finalize().into(),
        }
    }

    /// The start of the first run.
    pub fn clock(&self) -> WallClock {
        self.clock
    }

    /// The `index`-th run: a source has more than one if its timestamps jump.
    pub fn run(&self, index: u32, start_us: i64) -> Run {
        let mut hash = Sha256::new();
        hash.update(self.hash);
        hash.update(index.to_le_bytes());
        let mut identity = [0; 10];
        identity.copy_from_slice(&hash.finalize()[..10]);
        Run::new(u64::try_from(start_us / 1000).unwrap_or(0), identity)
    }
}

/// The options beside the window as text; nothing for the defaults. Runs' names depend on this
/// text, so it never changes.
fn non_default(options: &OpenOptions) -> String {
    let audio = match options.audio {
        Audio::Drop => "",
        Audio::Keep => ", with sound",
    };
    let container = match options.container {
        None => "",
        Some(Container::Mp4) => ", in mp4",
        Some(Container::Mkv) => ", in mkv",
        Some(Container::MpegTs) => ", in ts",
    };
    format!("{audio}{container}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn options() -> OpenOptions {
        OpenOptions::new("clip.mp4", Duration::from_secs(3))
    }

    fn identity(content: &[u8], options: &OpenOptions, muxer: &str) -> RunIdentity {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let fingerprint = Fingerprint::read(file.path()).unwrap();
        RunIdentity::new(&fingerprint, Some(1_000_000), options, muxer, 0)
    }

    fn run(content: &[u8], options: &OpenOptions, muxer: &str) -> String {
        let identity = identity(content, options, muxer);
        identity.run(0, identity.clock.start_us).to_string()
    }

    #[test]
    fn the_same_file_cut_the_same_way_is_the_same_run() {
        let content = vec![7; 3 << 20];
        assert_eq!(
            identity(&content, &options(), "a"),
            identity(&content, &options(), "a")
        );
    }

    /// Golden: names of runs that are in buckets already.
    #[test]
    fn names_of_runs_never_change() {
        let content = vec![7; 3 << 20];
        let mut kept = options();
        kept.audio = Audio::Keep;
        kept.container = Some(Container::Mkv);
        assert_eq!(
            [
                run(&content, &options(), "Lavf"),
                run(&content, &kept, "Lavf")
            ],
            ["00000000Z8DDGJ5XN1G7CZMT8D", "00000000Z8FC7YBN1VTY0AE1XS"]
        );
    }

    #[test]
    fn another_end_length_cut_or_muxer_is_another_run() {
        let content = vec![7; 3 << 20];
        let usual = run(&content, &options(), "a");
        let mut other_end = content.clone();
        *other_end.last_mut().unwrap() = 8;
        assert_ne!(usual, run(&other_end, &options(), "a"));
        assert_ne!(usual, run(&content[1..], &options(), "a"));
        type Change = fn(&mut OpenOptions);
        let changes: [Change; 3] = [
            |options| options.window *= 2,
            |options| options.audio = Audio::Keep,
            |options| options.container = Some(Container::Mkv),
        ];
        for change in changes {
            let mut other = options();
            change(&mut other);
            assert_ne!(usual, run(&content, &other, "a"), "{other:?}");
        }
        assert_ne!(usual, run(&content, &options(), "b"));
    }

    #[test]
    fn runs_of_one_file_differ_and_start_with_their_time() {
        let identity = identity(b"short", &options(), "a");
        let (first, second) = (identity.run(0, 5_000_000), identity.run(1, 9_000_000));
        assert_eq!((first.start_ms(), second.start_ms()), (5_000, 9_000));
        assert_ne!(first.to_string()[10..], second.to_string()[10..]);
    }

    #[test]
    fn without_creation_time_a_file_starts_at_its_last_change() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let written = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
        file.as_file().set_modified(written).unwrap();
        let fingerprint = Fingerprint::read(file.path()).unwrap();
        let identity = RunIdentity::new(&fingerprint, None, &options(), "a", 0);
        assert_eq!(
            (identity.clock.start_us, identity.clock.origin),
            (1_700_000_000_123_456, ClockOrigin::FileModified)
        );
    }

    #[test]
    fn the_clock_is_the_playlists_the_containers_the_servers_or_ours() {
        let clock = |started_us, created_us, modified_us| {
            let fingerprint = Fingerprint {
                hash: [0; 32],
                started_us,
                modified_us,
            };
            let identity = RunIdentity::new(&fingerprint, created_us, &options(), "a", 4);
            (identity.clock.start_us, identity.clock.origin)
        };
        let (one, two, three) = (Some(1), Some(2), Some(3));
        assert_eq!(clock(one, two, three), (1, ClockOrigin::Playlist));
        assert_eq!(clock(None, two, three), (2, ClockOrigin::FileCreation));
        assert_eq!(clock(None, None, three), (3, ClockOrigin::FileModified));
        assert_eq!(clock(None, None, None), (4, ClockOrigin::Host));
    }
}
