//! Objects as files: puts in four steps, look-ups by the bytes. Blocking.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use crispy_checksum::{BLOCK, Checksums, Hasher};
use crispy_fault::Fault;
use crispy_fsync::{Folders, sync_folder};

use super::{
    io_fault::{self, IoFaults},
    sidecar,
    temp_file::{Naming, TempFile},
};
use crate::{ForeignObject, Head, ListEntry, Lookup, Metadata, Put, key};

/// A folder has no generations: its objects never change.
const GENERATION: String = String::new();

/// Disk space of an object beside its bytes: its metadata, and new folders, in blocks of 4 KiB.
const OVERHEAD: usize = 64 << 10;

/// The files of a bucket. Guarantees as [`Bucket`](crate::Bucket)'s. Every method blocks on the
/// disk.
#[derive(Debug)]
pub(super) struct Files {
    folders: Folders,
    naming: Naming,
    errors: IoFaults,
}

impl Files {
    pub(super) fn open(root: &Path, url: &str) -> io::Result<Self> {
        crispy_fsync::make_root(root)?;
        Ok(Self {
            naming: Naming::detect(root)?,
            folders: Folders::new(root.to_owned()),
            errors: IoFaults::new(url),
        })
    }

    pub(super) fn root(&self) -> &Path {
        self.folders.root()
    }

    /// By the very steps of a put, so that a file system without one of them fails at start-up.
    pub(super) fn check_writable(&self, size: u64) -> Result<(), Fault> {
        let size = usize::try_from(size)
            .map_err(|error| Fault::rejected("reserve memory").with_source(error))?;
        let bytes = vec![0; size.saturating_add(OVERHEAD)];
        let probe = self
            .root()
            .join(format!(".probe-{:016x}", rand::random::<u64>()));
        let check = || -> io::Result<()> {
            TempFile::write(self.naming, self.root(), &bytes)?.publish(&probe)?;
            sync_folder(self.root())?;
            fs::remove_file(&probe)
        };
        check().map_err(|error| self.errors.writing(error))
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
                        .map_err(|error| self.errors.writing(error))?;
                    return Ok(Put::AlreadyMine { generation });
                }
            }
            match self.create(key, bytes, checksums, metadata) {
                Ok(true) => {
                    return Ok(Put::Stored {
                        generation: GENERATION,
                    });
                }
                // Another writer was faster: compare its bytes.
                Ok(false) if tries < 3 => tries += 1,
                Ok(false) if self.root().join(key).is_dir() => {
                    return Err(Fault::rejected("a folder has this name"));
                }
                Ok(false) => return Err(Fault::transient("object appears and disappears")),
                // An empty folder was removed since this process created or saw it.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries == 0 => {
                    tries += 1;
                    self.folders.forget_all();
                }
                Err(error) => return Err(self.errors.writing(error)),
            }
        }
    }

    /// Creates the object; `false` if the name is taken.
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
        let created = TempFile::write(self.naming, &folder, bytes)?.publish(&path)?;
        if created {
            sync_folder(&folder)?;
        }
        Ok(created)
    }

    /// Adds missing metadata: of a new object, of a copied one, or of one that lost its metadata in
    /// a power cut, on a file system that does not keep the order of names.
    fn describe(&self, key: &str, checksums: &Checksums, metadata: &Metadata) -> io::Result<()> {
        let sidecar = sidecar::path(&self.root().join(key), checksums);
        if fs::exists(&sidecar)? {
            return Ok(());
        }
        let folder = self.root().join(parent(key));
        // A name taken meanwhile is that of another attempt with the same bytes.
        let _ =
            TempFile::write(self.naming, &folder, &sidecar::encode(metadata))?.publish(&sidecar)?;
        Ok(())
    }

    /// Syncs an object of another writer, which may have been killed before it had synced the
    /// folders. The caller is about to free the spool.
    fn make_safe(&self, key: &str) -> io::Result<()> {
        File::open(self.root().join(key))?.sync_data()?;
        self.folders.ensure(parent(key))?;
        sync_folder(&self.root().join(parent(key)))
    }

    pub(super) fn lookup(&self, key: &str, size: u64, sha256: &[u8; 32]) -> Result<Lookup, Fault> {
        let found = self.find(key, size, sha256)?;
        if let Lookup::Mine { .. } = found {
            self.make_safe(key)
                .map_err(|error| self.errors.writing(error))?;
        }
        Ok(found)
    }

    /// Compares the size first, which decides most cases; then every byte, since only the bytes
    /// prove that the object is whole.
    fn find(&self, key: &str, size: u64, sha256: &[u8; 32]) -> Result<Lookup, Fault> {
        let file = match self.object(key) {
            Err(fault) if fault.is_not_found() => return Ok(Lookup::Absent),
            file => file?,
        };
        let found = file
            .metadata()
            .map_err(|error| self.errors.reading(error))?
            .len();
        let foreign = |sha256| {
            Ok(Lookup::Foreign(ForeignObject {
                size: found,
                sha256,
            }))
        };
        if found != size {
            return foreign(None);
        }
        let sums = sums(file).map_err(|error| self.errors.reading(error))?;
        if sums.sha256 != *sha256 {
            return foreign(Some(sums.sha256));
        }
        Ok(Lookup::Mine {
            generation: GENERATION,
        })
    }

    /// The file of an object. Anything but a file is no object. Nothing is absent from a bucket
    /// whose root is missing: its disk may not be mounted.
    fn object(&self, key: &str) -> Result<File, Fault> {
        let open = || -> io::Result<Option<File>> {
            let file = File::open(self.root().join(key))?;
            Ok(file.metadata()?.is_file().then_some(file))
        };
        let absent = match open().map_err(|error| self.errors.reading(error)) {
            Ok(Some(file)) => return Ok(file),
            Ok(None) => io_fault::absent(),
            Err(fault) if fault.is_not_found() => fault,
            Err(fault) => return Err(fault),
        };
        fs::metadata(self.root()).map_err(|error| self.errors.writing(error))?;
        Err(absent)
    }

    pub(super) fn head(&self, key: &str) -> Result<Head, Fault> {
        let path = self.root().join(key);
        let file = self.object(key)?;
        let size = file
            .metadata()
            .map_err(|error| self.errors.reading(error))?
            .len();
        let metadata = sidecar::read(&path, || Ok(sums(file)?.sha256_hex()))
            .map_err(|error| self.errors.reading(error))?;
        Ok(Head {
            size,
            generation: GENERATION,
            metadata,
        })
    }

    pub(super) fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Fault> {
        let file = self.object(key)?;
        let size = file
            .metadata()
            .map_err(|error| self.errors.reading(error))?
            .len();
        if range.start >= size {
            return Err(Fault::rejected(format!(
                "object has {size} bytes, none from {} on",
                range.start
            )));
        }
        let len = range.end.min(size) - range.start;
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::with_capacity(len as usize);
            (&file).seek(SeekFrom::Start(range.start))?;
            (&file).take(len).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error| self.errors.reading(error))?;
        Ok(bytes.into())
    }

    pub(super) fn list(&self, folder: &str) -> Result<Vec<ListEntry>, Fault> {
        let mut found = Vec::new();
        let mut folders = vec![PathBuf::from(folder)];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(self.root().join(&folder)) {
                // A missing folder has no objects; a missing root is an outage.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && !folder.as_os_str().is_empty() =>
                {
                    continue;
                }
                entries => entries.map_err(|error| self.errors.writing(error))?,
            };
            for entry in entries {
                let entry = entry.map_err(|error| self.errors.writing(error))?;
                let path = folder.join(entry.file_name());
                // Hidden files are metadata and temporary files; names that are no text are not
                // ours.
                let Some(key) = path.to_str().filter(|path| key::check(path).is_ok()) else {
                    continue;
                };
                let metadata = entry
                    .metadata()
                    .map_err(|error| self.errors.writing(error))?;
                if metadata.is_dir() {
                    folders.push(path);
                } else if metadata.is_file() {
                    found.push(ListEntry {
                        key: key.to_owned(),
                        size: metadata.len(),
                    });
                }
            }
        }
        Ok(found)
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
