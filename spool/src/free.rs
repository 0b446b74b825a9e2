//! Free: the bucket has this chunk, so its place is given back.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crispy_proto::id::ChunkId;

use super::{Spool, layout};

impl Spool {
    /// Removes a chunk; `false` when it is not here, which is no error, since what confirms a chunk may be heard twice.
    ///
    /// When this returns without an error, the chunk does not come back, not even after a power cut. The folder of its run stays until
    /// the camera's next run begins, or the next start-up: a live camera's spool is empty between any two chunks, and making the
    /// folder for each of them would cost a sync more.
    pub fn free(&self, id: &ChunkId) -> Result<bool, FreeError> {
        let _claim = self.claim(id);
        let Some(held) = self.state().index.get(id) else {
            return Ok(false);
        };
        let folder = layout::run_folder(id);
        // The descriptor first: see the story of this module.
        let files = [
            Some(layout::descriptor(id)),
            held.parked.then(|| layout::mark(id)),
            layout::bytes(id, held.container),
        ];
        for file in files.into_iter().flatten() {
            let path = self.root().join(file);
            remove_file(&path).map_err(|source| FreeError { path, source })?;
        }
        let path = self.root().join(folder);
        crispy_fsync::sync_folder(&path).map_err(|source| FreeError { path, source })?;
        self.state().index.remove(id);
        Ok(true)
    }

    /// Removes the empty folders of a camera's other runs, now that a new one begins. What cannot be removed is left for the scan.
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

/// Removes a file, which may be gone by an earlier attempt that failed further on, or by somebody else's hand.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// A chunk that was not freed, or not surely. Freeing it again is right.
#[derive(Debug, thiserror::Error)]
#[error("remove {}", path.display())]
pub struct FreeError {
    /// The file or folder.
    pub path: PathBuf,
    source: io::Error,
}
