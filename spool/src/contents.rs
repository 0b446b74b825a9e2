//! Walking over what is held.

use std::{
    fs, io,
    iter::FusedIterator,
    path::{Path, PathBuf},
};

use crispy_proto::{id::ChunkId, v1::ChunkReady};
use prost::Message;

use super::{Spool, index::Held, layout};

impl Spool {
    /// What an earlier process left here, in the order of camera, run and sequence; without what this one commits.
    pub fn left(&self) -> Contents<'_> {
        Contents {
            spool: self,
            last: None,
            wanted: |held| held.left,
        }
    }

    /// Everything that is held, in the order of camera, run and sequence.
    pub fn contents(&self) -> Contents<'_> {
        Contents {
            spool: self,
            last: None,
            wanted: |_| true,
        }
    }
}

/// Descriptors of committed chunks, in the order of camera, run and sequence.
///
/// Each is read from the disk when it is asked for, so that a spool of any size can be walked over. No lock is held in between: a chunk
/// that is freed meanwhile is left out, and one that is committed meanwhile comes if its place is still ahead.
#[derive(Clone, Debug)]
pub struct Contents<'a> {
    spool: &'a Spool,
    last: Option<ChunkId>,
    wanted: fn(&Held) -> bool,
}

impl Iterator for Contents<'_> {
    type Item = Result<ChunkReady, DescriptorError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (id, held) = self.spool.state().index.after(self.last.as_ref())?;
            self.last = Some(id.clone());
            if !(self.wanted)(&held) {
                continue;
            }
            if let Some(found) = read(self.spool.root(), &id).transpose() {
                return Some(found);
            }
        }
    }
}

impl FusedIterator for Contents<'_> {}

/// The descriptor of a chunk; `None` where there is no such file.
pub(super) fn read(root: &Path, id: &ChunkId) -> Result<Option<ChunkReady>, DescriptorError> {
    let path = root.join(layout::descriptor(id));
    let encoded = match fs::read(&path) {
        Ok(encoded) => encoded,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DescriptorError { path, source }),
    };
    match ChunkReady::decode(encoded.as_slice()) {
        Ok(chunk) => Ok(Some(chunk)),
        Err(error) => Err(DescriptorError {
            path,
            source: io::Error::new(io::ErrorKind::InvalidData, error),
        }),
    }
}

/// A committed chunk's descriptor that cannot be read any more.
#[derive(Debug, thiserror::Error)]
#[error("read the descriptor {}", path.display())]
pub struct DescriptorError {
    /// The file.
    pub path: PathBuf,
    source: io::Error,
}
