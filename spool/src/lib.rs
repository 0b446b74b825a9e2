//! The spool: chunks on the ingestor's disk, from the cut until the bucket has confirmed them.
//!
//! ```text
//!   {root}/spool.id                                        the spool's id: random, made once
//!          spool.lock                                      locked by the one owner, while it lives
//!          chunks/{site}/{camera}/{run}/0000000007.mp4     the bytes
//!                                       0000000007.pb      the descriptor: the chunk is committed
//!                                       0000000007.parked  its dead letter: it is not sent again
//!          damaged/...                                     chunks that failed the start-up scan
//! ```
//!
//! The spool is the source of truth and the queue a hint: a committed chunk is sent again until it
//! is answered. Three orders carry that (parking keeps an order of its own, see `park`):
//!
//! * **Commit**: bytes under a temporary name, synced, renamed; the descriptor the same way and
//!   last; then the folder, synced. A crash at any point leaves a whole chunk, or one without a
//!   descriptor, which the next scan removes.
//! * **Free**: the descriptor first, then the bytes, then the folder, synced. In the other order a
//!   crash would leave a descriptor without bytes, which looks like a loss; in this one it leaves
//!   bytes without a descriptor, which look like a torn commit, and both are to be removed.
//! * **Open**: lock, test write, id, scan. The scan checks every file, and syncs the folders again:
//!   the process before may have been killed between renaming and syncing.
//!
//! Every method returns a [`Fault`]: `Unavailable` while the disk or the folder cannot be used,
//! `Corrupt` for bytes that are not those of their checksum, `Conflict` for a second owner or other
//! bytes under one id, `NotFound` for a chunk that has left.
#![warn(missing_docs)]

mod commit;
mod descriptor;
mod error;
mod free;
mod id;
mod index;
mod layout;
mod limit;
mod lock;
mod park;
mod reader;
mod scan;

use std::{collections::HashSet, fs, io, path::Path};

use crispy_fault::Fault;
use crispy_fsync::Folders;
use crispy_proto::id::{CameraId, ChunkId, Run};
use parking_lot::{Condvar, Mutex, MutexGuard};

pub use commit::Committed;
pub use descriptor::{Descriptor, Recovered};
pub use error::is_disk_full;
pub use id::{SpoolId, SpoolIdError};
pub use limit::{Limit, Reservation};
pub use reader::SpoolReader;
pub use scan::{DamagedChunk, ScanReport};

use error::io_fault;
use index::Index;
use lock::Lock;

/// The owner's handle.
///
/// Guarantees: no other process has one on the same folder; a chunk that
/// [`commit`](Spool::commit) reported is there, whole, after any crash and any power cut, until
/// [`free`](Spool::free); operations on one run happen one after another, those on different runs
/// at once. Methods block on the disk: call them from a thread that may.
#[derive(Debug)]
pub struct Spool {
    id: SpoolId,
    folders: Folders,
    scan: ScanReport,
    state: Mutex<State>,
    /// A run is no longer busy, or there is more space.
    changed: Condvar,
    _lock: Lock,
}

#[derive(Debug, Default)]
struct State {
    index: Index,
    /// Runs in which a file is being written or removed.
    busy: HashSet<(CameraId, Run)>,
    /// Bytes of chunks with a [`Reservation`].
    reserved: u64,
}

impl Spool {
    /// Opens the spool at `root`, makes it where there is none, and scans the chunks of earlier
    /// processes.
    ///
    /// # Errors
    /// `Conflict` when another process owns it; `Unavailable` when it cannot be written
    /// (permissions, a read-only or full disk, a file in its place); `Corrupt` when its id is
    /// damaged or missing.
    pub fn open(root: &Path) -> Result<Self, Fault> {
        let not_writable = |source| {
            io_fault(
                root.display(),
                format!("spool {} cannot be written", root.display()),
                source,
            )
        };
        crispy_fsync::make_root(root).map_err(not_writable)?;
        let lock = Lock::take(root).map_err(not_writable)?.map_err(|pid| {
            let owner =
                pid.map_or_else(|| "another process".into(), |pid| format!("process {pid}"));
            Fault::conflict(format!("spool {} is in use by {owner}", root.display()))
        })?;
        let id = match SpoolId::read(root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_id(root)?,
            id => id.map_err(|source| {
                let path = root.join(layout::ID);
                let doing = format!("read the spool's id in {}", path.display());
                io_fault(root.display(), doing, source)
            })?,
        };
        let folders = Folders::new(root.to_owned());
        let (index, scan) = scan::scan(&folders).map_err(|(path, source)| {
            io_fault(&id, format!("scan the spool at {}", path.display()), source)
        })?;
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

    /// Its id.
    pub fn id(&self) -> &SpoolId {
        &self.id
    }

    /// Its folder, as it was opened.
    pub fn root(&self) -> &Path {
        self.folders.root()
    }

    /// The result of the start-up scan, for the owner's log.
    pub fn scan(&self) -> &ScanReport {
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
        self.state.lock()
    }

    /// Waits until no other thread works on the chunk's run.
    fn claim(&self, id: &ChunkId) -> Claim<'_> {
        let run = (id.camera.clone(), id.run);
        let mut state = self.state();
        while state.busy.contains(&run) {
            self.changed.wait(&mut state);
        }
        state.busy.insert(run.clone());
        Claim { spool: self, run }
    }

    /// `None` while another thread works on the run.
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

/// An id for a new spool.
///
/// The id is made before the first chunk, so in a folder with chunks it was removed later. Under
/// another one, descriptors in the queue would name a spool that does not exist.
fn make_id(root: &Path) -> Result<SpoolId, Fault> {
    if fs::exists(root.join(layout::CHUNKS)).unwrap_or(true) {
        return Err(Fault::corrupt(format!(
            "{} holds chunks but its spool.id is missing",
            root.display()
        ))
        .with_hint("put it back from the spool_id of any descriptor, or use another folder"));
    }
    SpoolId::make(root).map_err(|source| {
        let doing = format!("spool {} cannot be written", root.display());
        io_fault(root.display(), doing, source)
    })
}
