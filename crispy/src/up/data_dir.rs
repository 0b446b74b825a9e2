//! The data directory: one `crispy up` at a time has it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use crispy_runtime::{Exit, Failed, WithExit};

/// A data directory that is ours: a second nats-server on one store would ruin it.
///
/// The lock is the kernel's: it goes with this process, however that ends, and is not handed to children.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory where there is none, and takes it.
    ///
    /// # Errors
    /// [`Exit::SpoolInUse`] if another has it, [`Exit::SpoolNotWritable`] if it cannot be made or written.
    pub(super) fn take(path: PathBuf) -> Result<Self, Failed> {
        let lock = open(&path)
            .with_context(|| format!("use data directory {}", path.display()))
            .exit(Exit::SpoolNotWritable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let message = anyhow!(
                    "data directory {} is in use by another `crispy up`: stop that one, or give this one a --data-dir of its own",
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
    fn a_second_owner_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let first = DataDir::take(path.clone()).unwrap();
        let second = DataDir::take(path.clone()).unwrap_err();
        assert!(second.exit == Exit::SpoolInUse && second.to_string().contains("--data-dir"));
        drop(first);
        assert!(DataDir::take(path).is_ok());
    }
}
