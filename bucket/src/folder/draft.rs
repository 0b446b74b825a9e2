//! A file in the making, which gets its name when it is whole, and only if the name is free.
//!
//! Linux can make a file without any name (`O_TMPFILE`) and give it one later (linkat(2) by way of `/proc`): a crash leaves nothing.
//! Elsewhere it is written under a hidden name and linked to its own, and a crash leaves that hidden file: harmless, never listed,
//! safe to delete. Both ways end in a hard link because link(2) fails where the name is taken, atomically, on every POSIX file
//! system; rename(2) would overwrite, and its `RENAME_NOREPLACE` is known to fewer file systems than links are.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The way that a file system allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drafts {
    Nameless,
    Hidden,
}

impl Drafts {
    /// Tries it out; this also shows whether the folder can be written at all.
    pub(super) fn suited_to(root: &Path) -> io::Result<Self> {
        if let Ok(file) = open_nameless(root)
            && fs::exists(by_descriptor(&file)).unwrap_or(false)
        {
            return Ok(Self::Nameless);
        }
        Draft::write(Self::Hidden, root, b"").map(|_| Self::Hidden)
    }
}

/// Guarantee: its bytes are synced. Dropped without being published, it is gone.
#[derive(Debug)]
pub(super) struct Draft {
    file: File,
    /// Where it has one.
    hidden: Option<PathBuf>,
}

impl Draft {
    /// Writes a draft in the folder in which it is to be published.
    pub(super) fn write(drafts: Drafts, folder: &Path, bytes: &[u8]) -> io::Result<Self> {
        let mut draft = match drafts {
            Drafts::Nameless => Self {
                file: open_nameless(folder)?,
                hidden: None,
            },
            Drafts::Hidden => {
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
        draft.file.write_all(bytes)?;
        draft.file.sync_data()?;
        Ok(draft)
    }

    /// Gives it its name; `false` where that is taken. The name is not synced yet.
    pub(super) fn publish(self, path: &Path) -> io::Result<bool> {
        let linked = match &self.hidden {
            Some(hidden) => fs::hard_link(hidden, path),
            None => link_nameless(&self.file, path),
        };
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(hidden) = &self.hidden {
            // What cannot be removed is harmless: see above.
            let _ = fs::remove_file(hidden);
        }
    }
}

fn by_descriptor(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(target_os = "linux")]
fn open_nameless(folder: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::from_raw_mode(0o666))?.into())
}

#[cfg(target_os = "linux")]
fn link_nameless(file: &File, path: &Path) -> io::Result<()> {
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
fn open_nameless(_folder: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn link_nameless(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways, whatever this machine's file system allows.
    fn ways(folder: &Path) -> Vec<Drafts> {
        let best = Drafts::suited_to(folder).unwrap();
        if best == Drafts::Nameless {
            vec![best, Drafts::Hidden]
        } else {
            vec![best]
        }
    }

    #[test]
    fn a_draft_takes_a_free_name_and_leaves_a_taken_one_alone() {
        let folder = tempfile::tempdir().unwrap();
        for (number, way) in ways(folder.path()).into_iter().enumerate() {
            let path = folder.path().join(number.to_string());
            let publish = |bytes| {
                Draft::write(way, folder.path(), bytes)
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
    fn a_draft_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for way in ways(folder.path()) {
            drop(Draft::write(way, folder.path(), b"bytes").unwrap());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{way:?}");
        }
    }
}
