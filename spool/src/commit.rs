//! Commit: from now on this chunk is not lost.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crispy_proto::{
    id::{ChunkId, ChunkIdError},
    v1,
};
use prost::Message;

use super::{DescriptorError, Spool, contents, index::Held, layout};

/// What a commit found.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub enum Committed {
    /// The chunk is there now.
    Fresh,
    /// The same bytes were there already, from an earlier commit: nothing was written, and that commit's descriptor, this one, goes on
    /// being the chunk's.
    AlreadyThere(Box<v1::ChunkReady>),
}

impl Spool {
    /// Writes a chunk and its descriptor. When this returns without an error, the chunk survives any crash and any power cut.
    ///
    /// After an error nothing of it is left, as far as the disk still allows.
    pub fn commit(&self, chunk: &v1::ChunkReady, bytes: &[u8]) -> Result<Committed, CommitError> {
        let id = ChunkId::from_wire(chunk.id.as_ref()).map_err(CommitError::Id)?;
        let path = self.accept(&id, chunk, bytes)?;
        let _claim = self.claim(&id);
        if let Some(earlier) = self.descriptor(&id).map_err(CommitError::Earlier)? {
            return if earlier.sha256 == chunk.sha256 && earlier.size == chunk.size {
                Ok(Committed::AlreadyThere(Box::new(earlier)))
            } else {
                Err(CommitError::OtherBytes { chunk: id })
            };
        }
        let descriptor = self.root().join(layout::descriptor(&id));
        self.write(&id, &path, bytes, &descriptor, &chunk.encode_to_vec())
            .map_err(|source| {
                for path in [&descriptor, &path] {
                    // The error that matters is the one at hand; whatever cannot be removed now is removed by the next scan.
                    let _ = fs::remove_file(path);
                    let _ = fs::remove_file(layout::temporary(path));
                }
                // Were it that somebody removed a folder, the next commit makes it again.
                self.folders.forget_all();
                CommitError::io(path.clone(), source)
            })?;
        let held = Held {
            size: chunk.size,
            container: chunk.container(),
            left: false,
            parked: false,
        };
        self.state().index.insert(&id, held);
        Ok(Committed::Fresh)
    }

    /// Holds a descriptor against its bytes, as far as that costs next to nothing: a descriptor that does not fit would only be found
    /// out on another host, when nobody can tell any more which of the two was wrong. SHA-256 is checked when the bytes are read.
    fn accept(
        &self,
        id: &ChunkId,
        chunk: &v1::ChunkReady,
        bytes: &[u8],
    ) -> Result<PathBuf, CommitError> {
        let misfit = |what| CommitError::Misfit {
            chunk: id.clone(),
            what,
        };
        let path = layout::bytes(id, chunk.container()).ok_or_else(|| misfit("container"))?;
        if chunk.size != bytes.len() as u64 {
            return Err(misfit("size"));
        }
        if chunk.sha256.len() != 32 {
            return Err(misfit("sha256"));
        }
        if chunk.crc32c != crc32c::crc32c(bytes) {
            return Err(misfit("crc32c"));
        }
        if chunk.spool_id != self.id.as_str() {
            return Err(misfit("spool_id"));
        }
        Ok(self.root().join(path))
    }

    /// The order is the guarantee. The descriptor's rename is the commit, and by then both files' bytes are safe; were only it to reach
    /// the disk before a power cut, and not the rename of the bytes, then this had not returned, and the scan finds out.
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

    /// The descriptor of a committed chunk, as it was committed; `None` when the chunk is not here (any more).
    pub fn descriptor(&self, id: &ChunkId) -> Result<Option<v1::ChunkReady>, DescriptorError> {
        if self.state().index.get(id).is_none() {
            return Ok(None);
        }
        contents::read(self.root(), id)
    }
}

pub(super) fn write_and_rename(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = layout::temporary(path);
    crispy_fsync::write(&temporary, bytes)?;
    fs::rename(temporary, path)
}

/// A chunk that was not committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The descriptor does not say which chunk it is.
    #[error("commit a chunk without an identity")]
    Id(#[source] ChunkIdError),
    /// The descriptor is not that of the bytes, or not one of this spool.
    #[error("commit {chunk}: the descriptor's {what} is not that of the bytes or of this spool")]
    Misfit {
        /// The chunk.
        chunk: ChunkId,
        /// The descriptor's field.
        what: &'static str,
    },
    /// Other bytes were committed under this id and are kept: a run that claims to be another.
    #[error("commit {chunk}: other bytes are there under the same id")]
    OtherBytes {
        /// The chunk.
        chunk: ChunkId,
    },
    /// There is an earlier commit of this chunk, and it cannot be read.
    #[error("commit a chunk that is there already")]
    Earlier(#[source] DescriptorError),
    /// The disk is full. The chunk can be committed once something has been freed.
    #[error("write {}: the disk is full", path.display())]
    DiskFull {
        /// The chunk's file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The disk would not take it.
    #[error("write {}", path.display())]
    Io {
        /// The chunk's file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl CommitError {
    fn io(path: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, source }
            }
            _ => Self::Io { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn only_a_full_disk_is_called_full() {
        let error = |errno: Errno| CommitError::io(PathBuf::from("x"), errno.into());
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            assert!(
                matches!(error(errno), CommitError::DiskFull { .. }),
                "{errno}"
            );
        }
        for errno in [Errno::IO, Errno::ROFS, Errno::ACCESS] {
            assert!(matches!(error(errno), CommitError::Io { .. }), "{errno}");
        }
    }
}
