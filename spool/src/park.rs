//! Parking: a chunk that an uploader gave up stays until an operator decides about it.
//!
//! ```text
//!   dead letter ──► park ──► 0000000007.parked ──┬─► unpark: sent again
//!                                                └─► free: gone with its chunk
//! ```
//!
//! The marker is stored beside its chunk because only the spool outlives both the process and the
//! queue. It *is* the dead letter, so that one that the queue has lost can be published again:
//! `crispy dead` finds a chunk only by its dead letter. A marker is part of no commit: it comes
//! after one, written with the same care, and the next scan removes one without a chunk.

use std::{fs, io, path::Path};

use crispy_fault::Fault;
use crispy_proto::{id::ChunkId, v1::DeadLetter};
use prost::Message;

use super::{Spool, commit::write_and_rename, error::io_fault, free::remove_file, layout};

impl Spool {
    /// Marks a chunk as parked because of `letter`; `false` when the chunk is not (or no longer)
    /// here. A later letter replaces an earlier one.
    ///
    /// After a return without an error, the chunk is parked after any crash and any power cut.
    ///
    /// # Errors
    /// `Unavailable`: it was not parked, or not surely. Parking it again is right.
    pub fn park(&self, id: &ChunkId, letter: &DeadLetter) -> Result<bool, Fault> {
        let _claim = self.claim(id);
        if self.state().index.get(id).is_none() {
            return Ok(false);
        }
        self.change_marker(id, "write", |path| {
            write_and_rename(path, &letter.encode_to_vec())
        })?;
        self.state().index.set_parked(id, true);
        Ok(true)
    }

    /// Removes a chunk's marker; `false` when it has none. When this returns without an error, the
    /// marker does not come back.
    ///
    /// # Errors
    /// `Unavailable`, as of [`park`](Self::park).
    pub fn unpark(&self, id: &ChunkId) -> Result<bool, Fault> {
        let _claim = self.claim(id);
        if !self.is_parked(id) {
            return Ok(false);
        }
        self.change_marker(id, "remove", remove_file)?;
        self.state().index.set_parked(id, false);
        Ok(true)
    }

    /// True if a chunk is here and parked.
    pub fn is_parked(&self, id: &ChunkId) -> bool {
        self.state().index.get(id).is_some_and(|held| held.parked)
    }

    /// The dead letter of a parked chunk; `None` when it is not parked.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`: the chunk is parked all the same.
    pub fn dead_letter(&self, id: &ChunkId) -> Result<Option<DeadLetter>, Fault> {
        if !self.is_parked(id) {
            return Ok(None);
        }
        let path = self.root().join(layout::marker(id));
        let decode = |encoded: Vec<u8>| {
            DeadLetter::decode(encoded.as_slice())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        };
        match fs::read(&path).and_then(decode) {
            Ok(letter) => Ok(Some(letter)),
            // Freed or unparked meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.marker_fault("read", &path, error)),
        }
    }

    fn change_marker(
        &self,
        id: &ChunkId,
        verb: &str,
        change: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), Fault> {
        let path = self.root().join(layout::marker(id));
        let folder = self.root().join(layout::run_folder(id));
        change(&path)
            .and_then(|()| crispy_fsync::sync_folder(&folder))
            .map_err(|error| self.marker_fault(verb, &path, error))
    }

    fn marker_fault(&self, verb: &str, path: &Path, error: io::Error) -> Fault {
        io_fault(
            &self.id,
            format!("{verb} the marker {}", path.display()),
            error,
        )
    }
}
