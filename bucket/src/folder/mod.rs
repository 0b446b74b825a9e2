//! A folder as a bucket: an object is a file at its key's path, its metadata a hidden file beside it.
//!
//! ```text
//!   v1/demo/front/…/1763839803000-…-0000000007.mp4
//!   v1/demo/front/…/.1763839803000-…-0000000007.mp4.{SHA-256 of the bytes}.json
//! ```
//!
//! The order of a put, and what a crash after each step leaves:
//!
//! 1. folders, their names synced: empty folders.
//! 2. metadata, synced, then given its name: metadata of no object, used by the next attempt with the same bytes. Its name has the
//!    SHA-256, so that a second writer with *other* bytes, who will lose, cannot put its own in the winner's place.
//! 3. bytes, synced, then given their name, which is the commit: link(2) fails where the name is taken, so one writer wins.
//! 4. the folder, synced: both names survive a power cut. Only then the caller hears of it, and the spool is freed.
//!
//! A power cut between 3 and 4 may take either name. Where it took the object's, the next attempt makes it; where it took the
//! metadata's, the next attempt finds its own bytes and gives them their metadata again.
//!
//! Bytes in the making have no name at all where the kernel allows it ([`draft`]), so that a crash leaves none behind.

mod draft;
mod sidecar;

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{Found, Head, Listed, Lookup, Metadata, Put, fault::Fault};
use crispy_checksum::{BLOCK, Checksums, Hasher};
use crispy_fsync::Folders;
use draft::{Draft, Drafts};

/// The folder has no generations: an object that is there never changes.
const GENERATION: String = String::new();

/// Bytes that an object needs beside its own: its metadata, and new folders down to it, in blocks of 4 KiB.
const BESIDE: usize = 64 << 10;

/// Guarantees as [`Bucket`](super::Bucket)'s. Every method waits for the disk.
#[derive(Debug)]
pub(super) struct Folder {
    folders: Folders,
    drafts: Drafts,
}

impl Folder {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        crispy_fsync::make_root(root)?;
        Ok(Self {
            drafts: Drafts::suited_to(root)?,
            folders: Folders::new(root.to_owned()),
        })
    }

    pub(super) fn root(&self) -> &Path {
        self.folders.root()
    }

    /// By the very steps of a put, so that a file system which cannot do one of them is found out at start-up.
    pub(super) fn check_writable(&self, size: u64) -> Result<(), Fault> {
        let size = usize::try_from(size).map_err(Fault::invalid)?;
        let bytes = vec![0; size.saturating_add(BESIDE)];
        let probe = self
            .root()
            .join(format!(".probe-{:016x}", rand::random::<u64>()));
        let check = || -> io::Result<()> {
            Draft::write(self.drafts, self.root(), &bytes)?.publish(&probe)?;
            crispy_fsync::sync_folder(self.root())?;
            fs::remove_file(&probe)
        };
        check().map_err(Fault::writing)
    }

    pub(super) fn put_once(
        &self,
        key: &str,
        bytes: &[u8],
        checksums: &Checksums,
        metadata: &Metadata,
    ) -> Result<Put, Fault> {
        let mut tries = 0;
        loop {
            match self.find(key, bytes.len() as u64, &checksums.sha256)? {
                Lookup::Absent => {}
                Lookup::Foreign(found) => return Ok(Put::Foreign(found)),
                Lookup::Mine { generation } => {
                    let safe = self.describe(key, checksums, metadata);
                    safe.and_then(|()| self.make_safe(key))
                        .map_err(Fault::writing)?;
                    return Ok(Put::AlreadyMine { generation });
                }
            }
            match self.create(key, bytes, checksums, metadata) {
                Ok(true) => {
                    return Ok(Put::Stored {
                        generation: GENERATION,
                    });
                }
                // Somebody was faster: look what it is.
                Ok(false) if tries < 3 => tries += 1,
                Ok(false) if self.root().join(key).is_dir() => {
                    return Err(Fault::invalid("a folder has this name"));
                }
                Ok(false) => return Err(Fault::transient("the object comes and goes")),
                // A folder that this process has made or seen was removed since, empty as it was.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries == 0 => {
                    tries += 1;
                    self.folders.forget_all();
                }
                Err(error) => return Err(Fault::writing(error)),
            }
        }
    }

    /// `false`: the name is taken.
    fn create(
        &self,
        key: &str,
        bytes: &[u8],
        checksums: &Checksums,
        metadata: &Metadata,
    ) -> io::Result<bool> {
        let path = self.root().join(key);
        let folder = self.root().join(parent(key));
        self.folders.ensure(parent(key))?;
        self.describe(key, checksums, metadata)?;
        let created = Draft::write(self.drafts, &folder, bytes)?.publish(&path)?;
        if created {
            crispy_fsync::sync_folder(&folder)?;
        }
        Ok(created)
    }

    /// Metadata, where there is none: of a new object, or of one that somebody copied here, or whose metadata a power cut took on a file
    /// system that does not keep the order of names.
    fn describe(&self, key: &str, checksums: &Checksums, metadata: &Metadata) -> io::Result<()> {
        let sidecar = sidecar::path(&self.root().join(key), checksums);
        if fs::exists(&sidecar)? {
            return Ok(());
        }
        let folder = self.root().join(parent(key));
        // Taken meanwhile: by another attempt with the same bytes.
        let _ =
            Draft::write(self.drafts, &folder, &sidecar::encode(metadata))?.publish(&sidecar)?;
        Ok(())
    }

    /// Whoever wrote the object may have been killed before it had synced the folders, and the caller is about to free the spool.
    fn make_safe(&self, key: &str) -> io::Result<()> {
        File::open(self.root().join(key))?.sync_data()?;
        self.folders.ensure(parent(key))?;
        crispy_fsync::sync_folder(&self.root().join(parent(key)))
    }

    pub(super) fn lookup(&self, key: &str, size: u64, sha256: &[u8; 32]) -> Result<Lookup, Fault> {
        let found = self.find(key, size, sha256)?;
        if let Lookup::Mine { .. } = found {
            self.make_safe(key).map_err(Fault::writing)?;
        }
        Ok(found)
    }

    /// Size first, which settles most; then every byte, since only the bytes prove that the object is whole.
    fn find(&self, key: &str, size: u64, sha256: &[u8; 32]) -> Result<Lookup, Fault> {
        let file = match self.object(key) {
            Err(Fault::Absent) => return Ok(Lookup::Absent),
            file => file?,
        };
        let found = file.metadata().map_err(Fault::reading)?.len();
        let foreign = |sha256| {
            Ok(Lookup::Foreign(Found {
                size: found,
                sha256,
            }))
        };
        if found != size {
            return foreign(None);
        }
        let sums = sums(file).map_err(Fault::reading)?;
        if sums.sha256 != *sha256 {
            return foreign(Some(sums.sha256));
        }
        Ok(Lookup::Mine {
            generation: GENERATION,
        })
    }

    /// The file of an object. Absent: what is not a file is not an object, and nothing is absent from a disk that is not mounted.
    fn object(&self, key: &str) -> Result<File, Fault> {
        let open = || -> io::Result<Option<File>> {
            let file = File::open(self.root().join(key))?;
            Ok(file.metadata()?.is_file().then_some(file))
        };
        match open().map_err(Fault::reading) {
            Ok(Some(file)) => Ok(file),
            Ok(None) | Err(Fault::Absent) => match fs::metadata(self.root()) {
                Ok(_) => Err(Fault::Absent),
                Err(error) => Err(Fault::writing(error)),
            },
            Err(fault) => Err(fault),
        }
    }

    pub(super) fn head(&self, key: &str) -> Result<Head, Fault> {
        let path = self.root().join(key);
        let file = self.object(key)?;
        let size = file.metadata().map_err(Fault::reading)?.len();
        let metadata =
            sidecar::read(&path, || Ok(sums(file)?.sha256_hex())).map_err(Fault::reading)?;
        Ok(Head {
            size,
            generation: GENERATION,
            metadata,
        })
    }

    pub(super) fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Fault> {
        let mut file = self.object(key)?;
        let size = file.metadata().map_err(Fault::reading)?.len();
        if range.start >= size {
            return Err(Fault::invalid(format!(
                "it has {size} bytes, none from {} on",
                range.start
            )));
        }
        let len = range.end.min(size) - range.start;
        let mut bytes = Vec::with_capacity(len as usize);
        file.seek(SeekFrom::Start(range.start))
            .map_err(Fault::reading)?;
        file.take(len)
            .read_to_end(&mut bytes)
            .map_err(Fault::reading)?;
        Ok(bytes.into())
    }

    pub(super) fn list(&self, folder: &str) -> Result<Vec<Listed>, Fault> {
        let mut listed = Vec::new();
        let mut folders = vec![PathBuf::from(folder)];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(self.root().join(&folder)) {
                // Nothing lies below a folder that is not there; a root that is not there is another matter.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && !folder.as_os_str().is_empty() =>
                {
                    continue;
                }
                entries => entries.map_err(Fault::writing)?,
            };
            for entry in entries {
                let entry = entry.map_err(Fault::writing)?;
                let path = folder.join(entry.file_name());
                // Hidden files are metadata and drafts; names that are not text are not ours.
                let Some(key) = path.to_str().filter(|key| super::key::check(key).is_ok()) else {
                    continue;
                };
                let metadata = entry.metadata().map_err(Fault::writing)?;
                if metadata.is_dir() {
                    folders.push(path);
                } else if metadata.is_file() {
                    listed.push(Listed {
                        key: key.to_owned(),
                        size: metadata.len(),
                    });
                }
            }
        }
        Ok(listed)
    }
}

fn parent(key: &str) -> &Path {
    Path::new(key).parent().unwrap_or(Path::new(""))
}

fn sums(mut file: File) -> io::Result<Checksums> {
    let (mut sums, mut block) = (Hasher::new(), vec![0; BLOCK]);
    loop {
        match file.read(&mut block)? {
            0 => return Ok(sums.finish()),
            len => sums.update(&block[..len]),
        }
    }
}
