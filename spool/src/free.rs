//! The removal of chunks that the bucket has.

use std::{fs, io, path::Path};

use crispy_fault::Fault;
use crispy_proto::id::ChunkId;

use super::{Spool, error::io_fault, layout};

impl Spool {
    /// Removes a chunk; `false` when it is not here, which is no error, since a confirmation may
    /// come twice.
    ///
    /// After a return without an error, the chunk does not come back, not even after a power
    /// cut. The folder of its run stays until the camera's next run begins, or the next start-up: a
    /// live camera's spool is empty between any two chunks, and making the folder for each of them
    /// would cost one more sync.
    ///
    /// # Errors
    /// `Unavailable`: it was not freed, or not surely. Freeing it again is right.
    pub fn free(&self, id: &ChunkId) -> Result<bool, Fault> {
        let _claim = self.claim(id);
        let Some(held) = self.state().index.get(id) else {
            return Ok(false);
        };
        // The descriptor first: the crate's description says why.
        let files = [
            Some(layout::descriptor(id)),
            held.parked.then(|| layout::marker(id)),
            layout::bytes(id, held.container),
        ];
        let fault =
            |path: &Path, source| io_fault(&self.id, format!("remove {}", path.display()), source);
        for file in files.into_iter().flatten() {
            let path = self.root().join(file);
            remove_file(&path).map_err(|error| fault(&path, error))?;
        }
        let path = self.root().join(layout::run_folder(id));
        crispy_fsync::sync_folder(&path).map_err(|error| fault(&path, error))?;
        self.state().index.remove(id);
        Ok(true)
    }

    /// Removes the empty folders of a camera's other runs when a new one begins. The scan removes
    /// the rest.
    pub(super) fn sweep(&self, new: &ChunkId) {
        let camera = self.root().join(layout::run_folder(new));
        let entries = camera.parent().and_then(|camera| fs::read_dir(camera).ok());
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(run) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let other = ChunkId { run, ..new.clone() };
            // Busy: the new run itself, and any other that is not over.
            let Some(_claim) = self.try_claim(&other) else {
                continue;
            };
            // Only an empty folder can be removed.
            if fs::remove_dir(entry.path()).is_ok() {
                self.folders.forget(&layout::run_folder(&other));
            }
        }
    }
}

/// Removes a file that may be gone already, by an earlier attempt that failed later or from
/// outside.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
