//! The data directory, locked by one `crispy up` at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use crispy_runtime::{Exit, Failed, WithExit};

/// A locked data directory: a second nats-server would corrupt its store.
///
/// The kernel releases the lock when this process ends in any way; children do not inherit it.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates the directory if it is missing, and locks it.
    ///
    /// # Errors
    /// [`Exit::SpoolInUse`] if another process has locked it, [`Exit::SpoolNotWritable`] if it
    /// cannot be created or written.
    pub(super) fn lock(path: PathBuf) -> Result<Self, Failed> {
        let lock = open(&path)
            .with_context(|| format!("lock data directory {}", path.display()))
            .exit(Exit::SpoolNotWritable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let message = anyhow!(
                    "data directory {} is in use by another `crispy up`: stop that one, or choose another --data-dir",
                    path.display()
                );
                Err(Failed::new(Exit::SpoolInUse, message))
            }
            Err(TryLockError::Error(error)) => Err(Failed::new(Exit::SpoolNotWritable, error)),
        }
    }

    /// Its path, absolute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn open(path: &Path) -> io::Result<File> {
    fs::create_dir_all(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path.join("up.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_refused_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let first = DataDir::lock(path.clone()).unwrap();
        let second = DataDir::lock(path.clone()).unwrap_err();
        assert!(second.exit == Exit::SpoolInUse && second.to_string().contains("--data-dir"));
        drop(first);
        assert!(DataDir::lock(path).is_ok());
    }
}
