//! What the claims stand on.
//!
//! * [`House`]: a folder of one test's own, and the commands that are run in it
//! * [`program`]: a process, followed line by line to its end
//! * [`answers`]: what `crispy up -o jsonl` said
//! * [`bucket`]: what is in the bucket's folder
//! * [`http`]: what a page says
//! * [`jaeger`]: one to ask, real or not
//! * [`otlp_json`]: what a Jaeger is told and tells
//! * [`planted`]: secrets, and whether anybody has told them
//! * [`processes`]: who else runs
//! * [`scene`]: daemons by hand, telling a collector what they do
//! * [`server`]: a nats-server that can be asked what it holds
//! * [`stages`]: the three daemons, each with its pages
//! * [`traces`]: what they told of single chunks
//! * [`video`]: what FFmpeg's own commands say about a file

pub(crate) mod answers;
pub(crate) mod bucket;
pub(crate) mod http;
pub(crate) mod jaeger;
pub(crate) mod otlp_json;
pub(crate) mod planted;
pub(crate) mod processes;
pub(crate) mod program;
pub(crate) mod scene;
pub(crate) mod server;
pub(crate) mod stages;
pub(crate) mod traces;
pub(crate) mod video;

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use bucket::Bucket;
use program::Program;
use tempfile::TempDir;

/// Longer than anything here takes, on a machine that is busy with something else too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A folder of one test's own; gone when the test is.
pub(crate) struct House {
    folder: TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = TempDir::with_prefix("crispy-house-").expect("make a temporary folder");
        Self { folder }
    }

    /// A path below it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The bucket that [`House::up`] fills.
    pub(crate) fn bucket(&self) -> Bucket {
        Bucket::at(self.path("bucket"))
    }

    /// `crispy up` with `camera=source` for each of `cameras`, everything below this folder, JSON lines on stdout.
    pub(crate) fn up(&self, cameras: &[(&str, &Path)]) -> Program {
        let cameras = cameras.iter();
        let cameras: Vec<_> = cameras
            .map(|(name, source)| format!("{name}={}", source.display()))
            .collect();
        let up = Program::new("crispy", self.folder.path())
            .arguments(["up", "--site", "demo", "-o", "jsonl"])
            .flag("--data-dir", self.path("data"))
            .flag("--bucket", self.bucket().url());
        cameras
            .iter()
            .fold(up, |up, camera| up.flag("--camera", camera))
    }

    /// Files of the chunks that a spool holds, and of the commits that were cut short.
    pub(crate) fn chunks_in(&self, spool: &Path) -> Vec<PathBuf> {
        bucket::files_below(&spool.join("chunks"))
    }

    /// Everything that was committed is confirmed, in the spool of [`House::up`] and in one called `spool`.
    #[track_caller]
    pub(crate) fn no_chunk_is_in_the_spool(&self) {
        for spool in ["data/spool", "spool"] {
            let left = self.chunks_in(&self.path(spool));
            assert!(left.is_empty(), "left in the spool: {left:?}");
        }
    }

    /// No process that was started here runs any more: all inherit their folder.
    #[track_caller]
    pub(crate) fn nobody_is_left(&self) {
        let left = processes::in_folder(self.folder.path());
        assert!(left.is_empty(), "still running: {left:?}");
    }

    /// What was refused has left nothing: no object, no chunk, no process.
    #[track_caller]
    pub(crate) fn nothing_is_half_done(&self) {
        let objects = self.bucket().files();
        assert!(objects.is_empty(), "in the bucket: {objects:?}");
        self.no_chunk_is_in_the_spool();
        self.nobody_is_left();
    }

    /// One of the programs, in this folder.
    pub(crate) fn program(&self, name: &str) -> Program {
        Program::new(name, self.folder.path())
    }
}

/// Waits until `holds`; fails, saying `what` was waited for, when [`PATIENCE`] is over.
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) -> Duration {
    until_within(PATIENCE, what, holds)
}

/// As [`until`], with a patience of its own. Returns how long it took.
pub(crate) fn until_within(
    patience: Duration,
    what: &str,
    mut holds: impl FnMut() -> bool,
) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < patience,
            "waited {patience:?} in vain: {what}"
        );
        thread::sleep(Duration::from_millis(5));
    }
    began.elapsed()
}
