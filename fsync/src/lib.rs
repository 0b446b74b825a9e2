//! What it takes on a POSIX file system for a file to be there after a power cut.
//!
//! A file's bytes are safe once the file is synced; its *name* is safe once the folder is; and the folder's own name once its parent
//! is, up to a folder that was there before. Leaving out the last step loses whole folders of synced files.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Folders remembered as safe; beyond it they are forgotten and synced again, which costs time and nothing else.
const REMEMBERED: usize = 4096;

/// Writes a new file, or over an old one, and syncs its bytes. Its name is not safe yet.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    // fdatasync: length and bytes, which is what reading needs, without the times of the inode.
    file.sync_data()
}

/// Makes the names in a folder safe, and the removal of names too.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder and its parents, their names safe.
pub fn make_root(root: &Path) -> io::Result<()> {
    let missing = root
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .count();
    fs::create_dir_all(root)?;
    // The root's own name too where it was there already: an earlier process may have been killed before it came so far.
    let made_in = root.ancestors().skip(1).take(missing.max(1));
    made_in.map(or_here).try_for_each(|folder| {
        match sync_folder(folder) {
            // Folders of which we may not even list the names were not made by us.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        }
    })
}

/// The parent of a relative path of one part is the working folder.
fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

/// The folders below one root.
///
/// Guarantee: after [`Folders::ensure`] the folder is there and its name, and those of its parents up to the root, survive a power
/// cut, *whoever* made them: an earlier process may have been killed between making one and syncing it.
#[derive(Debug)]
pub struct Folders {
    root: PathBuf,
    /// Relative to the root. A cache only: each process syncs each folder's parent once.
    safe: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    pub fn below(root: PathBuf) -> Self {
        Self {
            root,
            safe: Mutex::default(),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a folder of the root, given by its path relative to it. The root itself is never made: where it is missing, its disk is
    /// not mounted. `true` when it was made, or is seen for the first time.
    pub fn ensure(&self, relative: &Path) -> io::Result<bool> {
        if self.is_safe(relative) {
            return Ok(false);
        }
        let mut done = PathBuf::new();
        for part in relative {
            let parent = self.root.join(&done);
            done.push(part);
            if self.is_safe(&done) {
                continue;
            }
            match fs::create_dir(self.root.join(&done)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => sync_folder(&parent)?,
            }
            self.remember(done.clone());
        }
        Ok(true)
    }

    /// One folder is gone.
    pub fn forget(&self, relative: &Path) {
        let mut safe = self.safe.lock().unwrap_or_else(PoisonError::into_inner);
        safe.remove(relative);
    }

    /// Any folder may be gone.
    pub fn forget_all(&self) {
        let mut safe = self.safe.lock().unwrap_or_else(PoisonError::into_inner);
        safe.clear();
    }

    fn is_safe(&self, relative: &Path) -> bool {
        let safe = self.safe.lock().unwrap_or_else(PoisonError::into_inner);
        safe.contains(relative)
    }

    fn remember(&self, relative: PathBuf) {
        let mut safe = self.safe.lock().unwrap_or_else(PoisonError::into_inner);
        if safe.len() >= REMEMBERED {
            safe.clear();
        }
        safe.insert(relative);
    }
}
