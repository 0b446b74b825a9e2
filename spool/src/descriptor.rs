//! Descriptors of committed chunks, read from the disk.

use std::{fs, io, iter::FusedIterator, path::Path};

use bytes::Bytes;
use crispy_fault::Fault;
use crispy_proto::{id::ChunkId, v1::ChunkReady};
use prost::Message;

use super::{Spool, SpoolId, error::io_fault, layout};

/// A descriptor as it was committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Descriptor {
    /// Decoded.
    pub chunk: ChunkReady,
    /// The bytes of its file.
    pub encoded: Bytes,
}

impl Spool {
    /// The descriptor of a committed chunk; `None` when the chunk is not (or no longer) here.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt` when it is here and cannot be read.
    pub fn descriptor(&self, id: &ChunkId) -> Result<Option<Descriptor>, Fault> {
        if self.state().index.get(id).is_none() {
            return Ok(None);
        }
        read(&self.id, self.root(), id)
    }

    /// The chunks of earlier processes, in the order of camera, run and sequence.
    pub fn recovered(&self) -> Recovered<'_> {
        Recovered {
            spool: self,
            last: None,
        }
    }
}

/// Descriptors of the chunks of earlier processes, in the order of camera, run and sequence.
///
/// Each is read from the disk on demand, so that a spool of any size can be walked. No lock is held
/// in between: a chunk that is freed meanwhile is left out.
#[derive(Clone, Debug)]
pub struct Recovered<'a> {
    spool: &'a Spool,
    last: Option<ChunkId>,
}

impl Iterator for Recovered<'_> {
    type Item = Result<Descriptor, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (id, held) = self.spool.state().index.after(self.last.as_ref())?;
            self.last = Some(id.clone());
            if !held.recovered {
                continue;
            }
            if let Some(found) = read(&self.spool.id, self.spool.root(), &id).transpose() {
                return Some(found);
            }
        }
    }
}

impl FusedIterator for Recovered<'_> {}

/// `None` where there is no such file.
fn read(spool: &SpoolId, root: &Path, id: &ChunkId) -> Result<Option<Descriptor>, Fault> {
    let path = root.join(layout::descriptor(id));
    let decode = |encoded: Vec<u8>| match ChunkReady::decode(encoded.as_slice()) {
        Ok(chunk) => Ok(Descriptor {
            chunk,
            encoded: encoded.into(),
        }),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    };
    match fs::read(&path).and_then(decode) {
        Ok(descriptor) => Ok(Some(descriptor)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let doing = format!("read the descriptor {}", path.display());
            Err(io_fault(spool, doing, error))
        }
    }
}
