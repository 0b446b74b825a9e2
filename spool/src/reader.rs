//! Reading another process's spool.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use crispy_proto::{
    id::{ChunkId, ChunkIdError},
    v1,
};
use memmap2::MmapMut;

use super::{SpoolId, layout};
use crispy_checksum::{BLOCK, Checksums, Hasher};

/// A spool as others see it: it can be read, and never written.
///
/// Guarantees: bytes it returns are those that were committed, to the last bit; and it calls a chunk gone only while the folder proves
/// to be the spool that it was opened as, not when a disk is not mounted.
#[derive(Clone, Debug)]
pub struct SpoolReader {
    root: PathBuf,
    id: SpoolId,
}

impl SpoolReader {
    /// The spool at `root`, by the id that it carries.
    pub fn open(root: &Path) -> Result<Self, AttachError> {
        let id = SpoolId::read(root).map_err(|source| AttachError {
            root: root.to_owned(),
            source,
        })?;
        Ok(Self {
            root: root.to_owned(),
            id,
        })
    }

    /// Which spool this is.
    pub fn id(&self) -> &SpoolId {
        &self.id
    }

    /// The folder it was opened at.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The bytes of a chunk, held against its descriptor's size, CRC32C and SHA-256. Blocks on the disk.
    pub fn read(&self, chunk: &v1::ChunkReady) -> Result<Bytes, ReadError> {
        let id = ChunkId::from_wire(chunk.id.as_ref()).map_err(ReadError::Id)?;
        if chunk.spool_id != self.id.as_str() {
            return Err(ReadError::OtherSpool {
                chunk: id,
                wanted: chunk.spool_id.clone(),
            });
        }
        let (Some(path), Some(sums)) = (
            layout::bytes(&id, chunk.container()),
            Checksums::from_parts(chunk.crc32c, &chunk.sha256),
        ) else {
            return Err(ReadError::Undescribed { chunk: id });
        };
        let path = self.root.join(path);
        let io = |source| ReadError::Io {
            path: path.clone(),
            source,
        };
        let Some(file) = self.find(&path)? else {
            return Err(ReadError::Gone { path });
        };
        match read_whole(file, chunk.size).map_err(io)? {
            Some((bytes, found)) if found == sums => Ok(bytes),
            _ => Err(ReadError::Damaged { path }),
        }
    }

    /// `None` only when the file is surely not there: it is looked for once more after the folder has proved to be the spool.
    fn find(&self, path: &Path) -> Result<Option<File>, ReadError> {
        for proved in [false, true] {
            match File::open(path) {
                Ok(file) => return Ok(Some(file)),
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(ReadError::Io {
                        path: path.to_owned(),
                        source: error,
                    });
                }
                Err(_) if !proved => self.prove()?,
                Err(_) => {}
            }
        }
        Ok(None)
    }

    fn prove(&self) -> Result<(), ReadError> {
        let unproved = |source| ReadError::Unproved {
            root: self.root.clone(),
            source,
        };
        let found = SpoolId::read(&self.root).map_err(unproved)?;
        if found == self.id {
            return Ok(());
        }
        let other = format!("it is spool {found} now, and was {}", self.id);
        Err(unproved(io::Error::other(other)))
    }
}

/// `None`: not of this size. Each block is summed while it is still in the cache.
fn read_whole(mut file: File, size: u64) -> io::Result<Option<(Bytes, Checksums)>> {
    // Before any memory is reserved: the size comes from a message.
    if file.metadata()?.len() != size {
        return Ok(None);
    }
    let mut memory = Memory::of(size as usize)?;
    let mut sums = Hasher::new();
    for block in memory.as_mut().chunks_mut(BLOCK) {
        match file.read_exact(block) {
            Ok(()) => sums.update(block),
            // Somebody has cut it short meanwhile.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some((Bytes::from_owner(memory), sums.finish())))
}

/// Memory for one chunk.
///
/// Guarantee: what a large one took is the system's again when it is dropped. An allocator keeps it for the thread that asked, and each of a
/// dozen reading threads would hold on to twice its largest chunk (glibc's, measured: 96 MiB where 48 MiB were in use).
enum Memory {
    Heap(Vec<u8>),
    Map(MmapMut),
}

impl Memory {
    /// From here on a map is worth its page faults. Of smaller ones a thread keeps 8 MiB at most, and the usual 1.5 MB are spared the faults.
    const LARGE: usize = 4 << 20;

    fn of(size: usize) -> io::Result<Self> {
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

/// A folder that is not a spool, or cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("open {} as a spool", root.display())]
pub struct AttachError {
    /// The folder.
    pub root: PathBuf,
    source: io::Error,
}

/// A chunk that could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The spool is here, and the chunk is not in it: it was freed, or dropped.
    #[error("{} is gone from its spool", path.display())]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// What is there is not what was committed.
    #[error("{} is damaged: its size or its checksums are not those of the descriptor", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The folder is not, or no longer, the spool that it was opened as: it says nothing about the chunk.
    #[error("{} does not prove to be the spool", root.display())]
    Unproved {
        /// The folder.
        root: PathBuf,
        /// What was found instead.
        source: io::Error,
    },
    /// The chunk lies in another spool.
    #[error("{chunk} lies in spool {wanted:?}, which is another")]
    OtherSpool {
        /// The chunk.
        chunk: ChunkId,
        /// The spool that its descriptor names.
        wanted: String,
    },
    /// The descriptor does not say which chunk it is.
    #[error("read a chunk without an identity")]
    Id(#[source] ChunkIdError),
    /// The descriptor lacks what reading needs: a container that this version knows, a whole SHA-256.
    #[error("the descriptor of {chunk} has no known container or no SHA-256")]
    Undescribed {
        /// The chunk.
        chunk: ChunkId,
    },
    /// The disk would not give it.
    #[error("read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}
