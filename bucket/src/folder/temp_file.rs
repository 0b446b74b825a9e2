//! Temporary files, which get their names when they are whole, and only free names.
//!
//! Linux can create a file without any name (`O_TMPFILE`) and name it later (linkat(2) by way of
//! `/proc`): a crash leaves nothing. Elsewhere the file is written under a hidden name and linked
//! to its own, and a crash leaves the hidden file: harmless, never listed, safe to delete. Both
//! ways end in a hard link because link(2) fails where the name is taken, atomically, on every
//! POSIX file system; rename(2) would overwrite, and fewer file systems support its
//! `RENAME_NOREPLACE` than links.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The name of a temporary file, as the file system allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    None,
    Hidden,
}

impl Naming {
    /// Tries both ways, which also shows whether the folder is writable.
    pub(super) fn detect(root: &Path) -> io::Result<Self> {
        if let Ok(file) = open_unnamed(root)
            && fs::exists(by_descriptor(&file)).unwrap_or(false)
        {
            return Ok(Self::None);
        }
        TempFile::write(Self::Hidden, root, b"").map(|_| Self::Hidden)
    }
}

/// Guarantee: its bytes are synced. Dropped before it is published, it is removed.
#[derive(Debug)]
pub(super) struct TempFile {
    file: File,
    /// Its hidden name, if it has one.
    hidden: Option<PathBuf>,
}

impl TempFile {
    /// Writes a file in the folder in which it will be published.
    pub(super) fn write(naming: Naming, folder: &Path, bytes: &[u8]) -> io::Result<Self> {
        let mut temp = match naming {
            Naming::None => Self {
                file: open_unnamed(folder)?,
                hidden: None,
            },
            Naming::Hidden => {
                let path = folder.join(format!(".draft-{:016x}", rand::random::<u64>()));
                Self {
                    file: OpenOptions::new()
                        .write(true)
                        .create_new(true)
                        .open(&path)?,
                    hidden: Some(path),
                }
            }
        };
        temp.file.write_all(bytes)?;
        temp.file.sync_data()?;
        Ok(temp)
    }

    /// Names the file; `false` if the name is taken. The name is not synced yet.
    pub(super) fn publish(self, path: &Path) -> io::Result<bool> {
        let linked = match &self.hidden {
            Some(hidden) => fs::hard_link(hidden, path),
            None => link_unnamed(&self.file, path),
        };
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // A file that cannot be removed is harmless: see above.
            let _ = fs::remove_file(hidden);
        }
    }
}

fn by_descriptor(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(target_os = "linux")]
fn open_unnamed(folder: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::from_raw_mode(0o666))?.into())
}

#[cfg(target_os = "linux")]
fn link_unnamed(file: &File, path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    // The entry in /proc is a symbolic link to the file itself.
    Ok(linkat(
        CWD,
        by_descriptor(file),
        CWD,
        path,
        AtFlags::SYMLINK_FOLLOW,
    )?)
}

#[cfg(not(target_os = "linux"))]
fn open_unnamed(_folder: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn link_unnamed(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All ways that this machine's file system allows.
    fn ways(folder: &Path) -> Vec<Naming> {
        let best = Naming::detect(folder).unwrap();
        if best == Naming::None {
            vec![best, Naming::Hidden]
        } else {
            vec![best]
        }
    }

    #[test]
    fn a_temp_file_takes_only_a_free_name() {
        let folder = tempfile::tempdir().unwrap();
        for (number, way) in ways(folder.path()).into_iter().enumerate() {
            let path = folder.path().join(number.to_string());
            let publish = |bytes| {
                TempFile::write(way, folder.path(), bytes)
                    .unwrap()
                    .publish(&path)
                    .unwrap()
            };
            assert!(publish(b"first"), "{way:?}");
            assert!(!publish(b"second"), "{way:?}");
            assert_eq!(fs::read(&path).unwrap(), b"first", "{way:?}");
        }
    }

    #[test]
    fn a_dropped_temp_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for way in ways(folder.path()) {
            drop(TempFile::write(way, folder.path(), b"bytes").unwrap());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{way:?}");
        }
    }
}
