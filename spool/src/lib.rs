//! The spool: chunks on the ingestor's disk, from the moment they are cut until the bucket has confirmed them.
//!
//! ```text
//!   {root}/spool.id                                        which spool: random, made once
//!          spool.lock                                      locked by the one owner, while it lives
//!          chunks/{site}/{camera}/{run}/0000000007.mp4     the bytes
//!                                       0000000007.pb      the descriptor: there, and the chunk is committed
//!                                       0000000007.parked  its dead letter: there, and the chunk is not sent again
//!          damaged/...                                     what a start-up scan could not believe
//! ```
//!
//! The spool is the truth and the queue a hint: what is committed here is sent again until it is answered. Three orders carry that
//! (marks keep an order of their own, see `park`):
//!
//! * **Commit**: bytes under a temporary name, synced, renamed; the descriptor the same way and last; then the folder, synced. A crash
//!   at any point leaves a whole chunk or one without a descriptor, which the next scan removes.
//! * **Free**: the descriptor first, then the bytes, then the folder, synced. With the other order a crash would leave a descriptor
//!   without bytes, which looks like a loss; with this one it leaves bytes without a descriptor, which looks like a torn commit, and
//!   both are to be removed.
//! * **Open**: lock, prove that it can be written, id, scan. Nothing is believed that was not looked at, and folders are synced again: the
//!   process before may have been killed between renaming and syncing.

mod commit;
mod contents;
mod free;
mod id;
mod index;
mod layout;
mod limit;
mod lock;
mod park;
mod reader;
mod scan;

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use crispy_proto::id::{CameraId, ChunkId, Run};

pub use commit::{CommitError, Committed};
pub use contents::{Contents, DescriptorError};
pub use free::FreeError;
pub use id::{SpoolId, SpoolIdError};
pub use limit::{Limit, Room};
pub use park::{MarkError, ParkError};
pub use reader::{AttachError, ReadError, SpoolReader};
pub use scan::{Damaged, Scan};

use crispy_fsync::Folders;
use index::Index;
use lock::{Lock, Refusal};

/// The owner's handle.
///
/// Guarantees: no other process has one on the same folder; a chunk that [`commit`](Spool::commit) reported is there, whole, after
/// any crash and any power cut, until [`free`](Spool::free); operations on one run happen one after another, those on different runs at
/// once. Methods block on the disk: call them from a thread that may.
#[derive(Debug)]
pub struct Spool {
    id: SpoolId,
    folders: Folders,
    scan: Scan,
    state: Mutex<State>,
    /// A run is no longer busy, or there is more room.
    changed: Condvar,
    _lock: Lock,
}

#[derive(Debug, Default)]
struct State {
    index: Index,
    /// Runs in which a file is being written or removed.
    busy: HashSet<(CameraId, Run)>,
    /// Bytes of chunks that were let in and are not committed yet.
    reserved: u64,
}

impl Spool {
    /// Opens the spool at `root`, making it where there is none, and scans what an earlier process left.
    pub fn open(root: &Path) -> Result<Self, OpenError> {
        let not_writable = |source| OpenError::NotWritable {
            root: root.to_owned(),
            source,
        };
        crispy_fsync::make_root(root).map_err(not_writable)?;
        let lock = Lock::take(root).map_err(|refusal| match refusal {
            Refusal::Io(source) => not_writable(source),
            Refusal::InUse(pid) => OpenError::InUse {
                root: root.to_owned(),
                pid,
            },
        })?;
        let id = read_or_make_id(root)?;
        let folders = Folders::new(root.to_owned());
        let (index, scan) =
            scan::scan(&folders).map_err(|(path, source)| OpenError::Scan { path, source })?;
        let state = State {
            index,
            ..State::default()
        };
        Ok(Self {
            id,
            folders,
            scan,
            state: Mutex::new(state),
            changed: Condvar::new(),
            _lock: lock,
        })
    }

    /// Which spool this is.
    pub fn id(&self) -> &SpoolId {
        &self.id
    }

    /// The folder it was opened at.
    pub fn root(&self) -> &Path {
        self.folders.root()
    }

    /// What the start-up scan found: worth a line in the owner's log.
    pub fn scan(&self) -> &Scan {
        &self.scan
    }

    /// Bytes of all committed chunks. Descriptors, well under 2 KB each, are not counted.
    pub fn bytes_held(&self) -> u64 {
        self.state().index.bytes()
    }

    /// Number of committed chunks.
    pub fn chunks_held(&self) -> usize {
        self.state().index.chunks()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // State changes after the disk has, in one step each: a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else works on the chunk's run.
    fn claim(&self, id: &ChunkId) -> Claim<'_> {
        let run = (id.camera.clone(), id.run);
        let mut state = self.state();
        while state.busy.contains(&run) {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.busy.insert(run.clone());
        Claim { spool: self, run }
    }

    /// `None` where somebody works on the run.
    fn try_claim(&self, id: &ChunkId) -> Option<Claim<'_>> {
        let run = (id.camera.clone(), id.run);
        let free = self.state().busy.insert(run.clone());
        free.then(|| Claim { spool: self, run })
    }
}

/// The sole right to change files of one run.
struct Claim<'a> {
    spool: &'a Spool,
    run: (CameraId, Run),
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.spool.state().busy.remove(&self.run);
        self.spool.changed.notify_all();
    }
}

fn read_or_make_id(root: &Path) -> Result<SpoolId, OpenError> {
    match SpoolId::read(root) {
        Ok(id) => Ok(id),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(OpenError::Id {
            path: root.join(layout::ID),
            source: error,
        }),
        // The id is made before the first chunk, so somebody removed it. Under a new one, descriptors in the queue would name a
        // spool that nobody has.
        Err(_) if fs::exists(root.join(layout::CHUNKS)).unwrap_or(true) => {
            Err(OpenError::IdMissing {
                root: root.to_owned(),
            })
        }
        Err(_) => SpoolId::make(root).map_err(|source| OpenError::NotWritable {
            root: root.to_owned(),
            source,
        }),
    }
}

/// A spool that could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It has an owner: one process per spool.
    #[error("spool {} is in use by {}", root.display(), owner(*pid))]
    InUse {
        /// The spool's folder.
        root: PathBuf,
        /// The owner's process id, where it is known.
        pid: Option<u32>,
    },
    /// The folder cannot be made or written: permissions, a read-only or full disk, a file in its place.
    #[error("spool {} cannot be written", root.display())]
    NotWritable {
        /// The spool's folder.
        root: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// `spool.id` is there and cannot be read, or holds something else.
    #[error("read the spool's id in {}", path.display())]
    Id {
        /// The file.
        path: PathBuf,
        /// What was wrong.
        source: io::Error,
    },
    /// There are chunks and no `spool.id`: without it nobody finds them by what the queue says.
    #[error(
        "{} holds chunks but its spool.id is missing: put it back from the spool_id of any descriptor, or use another folder",
        root.display()
    )]
    IdMissing {
        /// The spool's folder.
        root: PathBuf,
    },
    /// The scan could not look at everything.
    #[error("scan the spool at {}", path.display())]
    Scan {
        /// Where it stopped.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

fn owner(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}
