//! Free: the bucket has this chunk, so its place is given back.

use std::{fs, io, path::PathBuf};

use proto::id::ChunkId;

use super::{Spool, layout};
use crate::durable;

impl Spool {
    /// Removes a chunk; `false` when it is not here, which is no error, since what confirms a chunk may be heard twice.
    ///
    /// When this returns without an error, the chunk does not come back, not even after a power cut. A run's folder goes with its last
    /// chunk.
    pub fn free(&self, id: &ChunkId) -> Result<bool, FreeError> {
        let _claim = self.claim(id);
        let Some(held) = self.state().index.get(id) else {
            return Ok(false);
        };
        let folder = layout::run_folder(id);
        // The descriptor first: see the story of this module.
        let files = [
            Some(layout::descriptor(id)),
            layout::bytes(id, held.container),
        ];
        for file in files.into_iter().flatten() {
            let path = self.root().join(file);
            match fs::remove_file(&path) {
                // Gone by an earlier attempt that failed further on, or by somebody else's hand.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(|source| FreeError { path, source })?,
            }
        }
        let path = self.root().join(&folder);
        let emptied = fs::remove_dir(&path).is_ok();
        if emptied {
            self.folders.forget(&folder);
        }
        let above = path.parent().filter(|_| emptied).unwrap_or(&path);
        durable::sync_folder(above).map_err(|source| FreeError {
            path: above.to_owned(),
            source,
        })?;
        self.state().index.remove(id);
        Ok(true)
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
