//! The commit: from then on a chunk is not lost.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use crispy_fault::Fault;
use crispy_proto::{id::ChunkId, v1};
use prost::Message;

use super::{Spool, error::io_fault, index::Held, layout};

/// The result of a commit.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Committed {
    /// The chunk is there now. These are the bytes of its descriptor's file.
    Fresh(Bytes),
    /// An earlier commit had the same bytes: nothing was written, and the descriptor of that
    /// commit, this one, stays the chunk's.
    AlreadyThere(Box<v1::ChunkReady>),
}

impl Committed {
    /// True if this commit wrote the chunk.
    pub fn is_fresh(&self) -> bool {
        matches!(self, Self::Fresh(_))
    }
}

impl Spool {
    /// Writes a chunk and its descriptor. When this returns without an error, the chunk survives
    /// any crash and any power cut. After an error nothing of it is left, as far as the disk
    /// allows.
    ///
    /// # Errors
    /// `Unavailable` when the disk is full ([`is_disk_full`](crate::is_disk_full)), read-only or
    /// broken; `Rejected` when the descriptor is not that of the bytes; `Conflict` when other bytes
    /// were committed under this id, which are kept: a run that claims to be another.
    pub fn commit(&self, chunk: &v1::ChunkReady, bytes: &[u8]) -> Result<Committed, Fault> {
        let id = ChunkId::from_wire(chunk.id.as_ref()).map_err(|error| {
            Fault::rejected("commit a chunk without an identity").with_source(error)
        })?;
        let path = self.check(&id, chunk, bytes)?;
        let _claim = self.claim(&id);
        let earlier = self.descriptor(&id);
        if let Some(earlier) =
            earlier.map_err(|fault| fault.context("commit a chunk that is there already"))?
        {
            let earlier = earlier.chunk;
            return if earlier.sha256 == chunk.sha256 && earlier.size == chunk.size {
                Ok(Committed::AlreadyThere(Box::new(earlier)))
            } else {
                Err(Fault::conflict(format!(
                    "commit {id}: other bytes are there under the same id"
                )))
            };
        }
        let descriptor = self.root().join(layout::descriptor(&id));
        let encoded = Bytes::from(chunk.encode_to_vec());
        self.write(&id, &path, bytes, &descriptor, &encoded)
            .map_err(|source| {
                for path in [&descriptor, &path] {
                    // The first error is the one that matters; the next scan removes the rest.
                    let _ = fs::remove_file(path);
                    let _ = fs::remove_file(layout::temporary(path));
                }
                // If a folder was removed from outside, the next commit makes it again.
                self.folders.forget_all();
                io_fault(&self.id, format!("write {}", path.display()), source)
            })?;
        let held = Held {
            size: chunk.size,
            container: chunk.container(),
            recovered: false,
            parked: false,
        };
        self.state().index.insert(&id, held);
        Ok(Committed::Fresh(encoded))
    }

    /// Compares a descriptor with its bytes, as far as that costs next to nothing. Otherwise the
    /// error shows only in the uploader, where its origin is unknown. SHA-256 is checked when the
    /// bytes are read.
    fn check(&self, id: &ChunkId, chunk: &v1::ChunkReady, bytes: &[u8]) -> Result<PathBuf, Fault> {
        let mismatch = |field| {
            Fault::rejected(format!(
                "commit {id}: the descriptor's {field} is not that of the bytes or of this spool"
            ))
        };
        let path = layout::bytes(id, chunk.container()).ok_or_else(|| mismatch("container"))?;
        if chunk.size != bytes.len() as u64 {
            return Err(mismatch("size"));
        }
        if chunk.sha256.len() != 32 {
            return Err(mismatch("sha256"));
        }
        if chunk.crc32c != crc32c::crc32c(bytes) {
            return Err(mismatch("crc32c"));
        }
        if chunk.spool_id != self.id.as_str() {
            return Err(mismatch("spool_id"));
        }
        Ok(self.root().join(path))
    }

    /// The order is the guarantee. The descriptor's rename is the commit, and by then the bytes of
    /// both files are safe. If only that rename reached the disk before a power cut, and not the
    /// rename of the bytes, then this had not returned, and the scan finds it.
    fn write(
        &self,
        id: &ChunkId,
        path: &Path,
        bytes: &[u8],
        descriptor: &Path,
        encoded: &[u8],
    ) -> io::Result<()> {
        let folder = layout::run_folder(id);
        if self.folders.ensure(&folder)? {
            self.sweep(id);
        }
        write_and_rename(path, bytes)?;
        write_and_rename(descriptor, encoded)?;
        crispy_fsync::sync_folder(&self.root().join(folder))
    }
}

pub(super) fn write_and_rename(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = layout::temporary(path);
    crispy_fsync::write(&temporary, bytes)?;
    fs::rename(temporary, path)
}
