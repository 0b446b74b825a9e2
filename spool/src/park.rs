//! Park: a stage gave this chunk up, and it stays until an operator decides about it.
//!
//! ```text
//!   dead letter ──► park ──► 0000000007.parked ──┬─► unpark: sent again
//!                                                └─► free: gone with its chunk
//! ```
//!
//! The mark lies beside its chunk because only what is in the spool outlives both the process and the queue. It *is* the dead letter, so that one
//! that the queue has lost can be published anew: without its letter no command could reach the chunk any more. A mark is part of no commit:
//! it comes after one, under the same discipline, and one without a chunk is removed by the next scan.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crispy_proto::{id::ChunkId, v1::DeadLetter};
use prost::Message;

use super::{Spool, commit::write_and_rename, free::remove_file, layout};

impl Spool {
    /// Marks a chunk as parked because of `letter`; `false` when the chunk is not here (any more). A later letter takes the place of an
    /// earlier one.
    ///
    /// When this returns without an error, the chunk is parked after any crash and any power cut.
    pub fn park(&self, id: &ChunkId, letter: &DeadLetter) -> Result<bool, ParkError> {
        let _claim = self.claim(id);
        if self.state().index.get(id).is_none() {
            return Ok(false);
        }
        let path = self.root().join(layout::mark(id));
        let written = write_and_rename(&path, &letter.encode_to_vec());
        written
            .and_then(|()| self.sync_run(id))
            .map_err(|source| ParkError {
                did: "write",
                path,
                source,
            })?;
        self.state().index.set_parked(id, true);
        Ok(true)
    }

    /// Removes a chunk's mark; `false` when it has none. When this returns without an error, the mark does not come back.
    pub fn unpark(&self, id: &ChunkId) -> Result<bool, ParkError> {
        let _claim = self.claim(id);
        if !self.is_parked(id) {
            return Ok(false);
        }
        let path = self.root().join(layout::mark(id));
        remove_file(&path)
            .and_then(|()| self.sync_run(id))
            .map_err(|source| ParkError {
                did: "remove",
                path,
                source,
            })?;
        self.state().index.set_parked(id, false);
        Ok(true)
    }

    /// Whether a chunk is here and parked.
    pub fn is_parked(&self, id: &ChunkId) -> bool {
        self.state().index.get(id).is_some_and(|held| held.parked)
    }

    /// Why a chunk is parked; `None` when it is not.
    pub fn mark(&self, id: &ChunkId) -> Result<Option<DeadLetter>, MarkError> {
        if !self.is_parked(id) {
            return Ok(None);
        }
        let path = self.root().join(layout::mark(id));
        match read(&path) {
            Ok(letter) => Ok(Some(letter)),
            // Freed or unparked meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(MarkError { path, source }),
        }
    }

    fn sync_run(&self, id: &ChunkId) -> io::Result<()> {
        crispy_fsync::sync_folder(&self.root().join(layout::run_folder(id)))
    }
}

fn read(path: &Path) -> io::Result<DeadLetter> {
    let encoded = fs::read(path)?;
    DeadLetter::decode(encoded.as_slice())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// A chunk that was not parked or unparked, or not surely. Doing it again is right.
#[derive(Debug, thiserror::Error)]
#[error("{did} the mark {}", path.display())]
pub struct ParkError {
    did: &'static str,
    /// The mark's file.
    pub path: PathBuf,
    source: io::Error,
}

/// A mark that cannot be read. Its chunk is parked all the same.
#[derive(Debug, thiserror::Error)]
#[error("read the mark {}", path.display())]
pub struct MarkError {
    /// The mark's file.
    pub path: PathBuf,
    source: io::Error,
}
