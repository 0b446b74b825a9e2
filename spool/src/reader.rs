//! Reading of another process's spool.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use crispy_checksum::{BLOCK, Checksums, Hasher};
use crispy_fault::{DependencyId, Fault};
use crispy_proto::{id::ChunkId, v1};
use memmap2::MmapMut;

use super::{SpoolId, layout};

/// A read-only view of a spool.
///
/// Guarantees: returned bytes are the committed ones, to the last bit; and a chunk is called gone
/// only while the folder proves to be the spool that it was opened as, not when a disk is not
/// mounted.
#[derive(Clone, Debug)]
pub struct SpoolReader {
    root: PathBuf,
    id: SpoolId,
}

impl SpoolReader {
    /// The spool at `root`, by the id in it.
    ///
    /// # Errors
    /// `Unavailable`: the folder is not a spool, or cannot be read.
    pub fn open(root: &Path) -> Result<Self, Fault> {
        let id = SpoolId::read(root).map_err(|source| {
            let spool = DependencyId::Spool(root.display().to_string());
            Fault::unavailable_to_some(spool, format!("open {} as a spool", root.display()))
                .with_source(source)
        })?;
        Ok(Self {
            root: root.to_owned(),
            id,
        })
    }

    /// Its id.
    pub fn id(&self) -> &SpoolId {
        &self.id
    }

    /// Its folder, as it was opened.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The bytes of a chunk, checked against its descriptor's size, CRC32C and SHA-256. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// * `NotFound`: the spool is here, and the chunk is not in it: it was freed, or dropped.
    /// * `Corrupt`: the bytes are not those that were committed.
    /// * `Unavailable`: the folder is not, or no longer, the spool, or its disk fails: that tells
    ///   nothing about the chunk.
    /// * `Rejected`: the descriptor has no id, no known container or no whole SHA-256.
    pub fn read(&self, chunk: &v1::ChunkReady) -> Result<Bytes, Fault> {
        let id = ChunkId::from_wire(chunk.id.as_ref()).map_err(|error| {
            Fault::rejected("read a chunk without an identity").with_source(error)
        })?;
        if chunk.spool_id != self.id.as_str() {
            let wanted = &chunk.spool_id;
            return Err(Fault::unavailable_to_some(
                DependencyId::Spool(wanted.clone()),
                format!("{id} lies in spool {wanted:?}, not in {}", self.id),
            ));
        }
        let (Some(path), Some(sums)) = (
            layout::bytes(&id, chunk.container()),
            Checksums::from_parts(chunk.crc32c, &chunk.sha256),
        ) else {
            return Err(Fault::rejected(format!(
                "the descriptor of {id} has no known container or no SHA-256"
            )));
        };
        let path = self.root.join(path);
        let Some(file) = self.find(&path)? else {
            return Err(Fault::not_found(format!(
                "{} is gone from its spool",
                path.display()
            )));
        };
        match read_whole(file, chunk.size).map_err(|error| self.read_fault(&path, error))? {
            Some((bytes, found)) if found == sums => Ok(bytes),
            _ => Err(Fault::corrupt(format!(
                "{} is damaged: its size or its checksums are not those of the descriptor",
                path.display()
            ))),
        }
    }

    /// `None` only when the file is surely not there: after a miss, the folder has to prove that it
    /// is the spool, and is searched once more.
    fn find(&self, path: &Path) -> Result<Option<File>, Fault> {
        for proved in [false, true] {
            match File::open(path) {
                Ok(file) => return Ok(Some(file)),
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.read_fault(path, error));
                }
                Err(_) if !proved => self.prove()?,
                Err(_) => {}
            }
        }
        Ok(None)
    }

    fn prove(&self) -> Result<(), Fault> {
        let unproved = |source: io::Error| {
            self.unavailable(format!(
                "{} does not prove to be the spool",
                self.root.display()
            ))
            .with_source(source)
        };
        let found = SpoolId::read(&self.root).map_err(unproved)?;
        if found == self.id {
            return Ok(());
        }
        let other = format!("it is spool {found} now, and was {}", self.id);
        Err(unproved(io::Error::other(other)))
    }

    fn read_fault(&self, path: &Path, error: io::Error) -> Fault {
        self.unavailable(format!("read {}", path.display()))
            .with_source(error)
    }

    fn unavailable(&self, doing: String) -> Fault {
        Fault::unavailable_to_some(DependencyId::Spool(self.id.to_string()), doing)
    }
}

/// `None` if it is not of this size. Each block is summed while it is still in the cache.
fn read_whole(mut file: File, size: u64) -> io::Result<Option<(Bytes, Checksums)>> {
    // Before any memory is reserved: the size comes from a message.
    if file.metadata()?.len() != size {
        return Ok(None);
    }
    let mut memory = Memory::new(size as usize)?;
    let mut sums = Hasher::new();
    for block in memory.as_mut().chunks_mut(BLOCK) {
        match file.read_exact(block) {
            Ok(()) => sums.update(block),
            // Truncated meanwhile.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some((Bytes::from_owner(memory), sums.finish())))
}

/// Memory for one chunk.
///
/// Guarantee: that of a large one goes back to the system when it is dropped. An allocator keeps it
/// for the thread that asked, and each of a dozen reading threads would hold twice its largest
/// chunk (glibc's, measured: 96 MiB where 48 MiB were in use).
enum Memory {
    Heap(Vec<u8>),
    Map(MmapMut),
}

impl Memory {
    /// From here on a map is worth its page faults. Of smaller chunks a thread keeps 8 MiB at most,
    /// and the usual 1.5 MB are spared the faults.
    const LARGE: usize = 4 << 20;

    fn new(size: usize) -> io::Result<Self> {
        if size < Self::LARGE {
            return Ok(Self::Heap(vec![0; size]));
        }
        MmapMut::map_anon(size).map(Self::Map)
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Map(bytes) => bytes,
        }
    }
}

impl AsMut<[u8]> for Memory {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Map(bytes) => bytes,
        }
    }
}
