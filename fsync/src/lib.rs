//! Files and folders that survive a power cut, on POSIX file systems.
//!
//! The bytes of a file are safe once the file is synced, its *name* once its folder is synced, and
//! the name of the folder once its parent is synced, up to a folder that existed before. Without
//! the last step whole folders of synced files get lost.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The largest number of folders remembered as safe. Forgotten ones are synced again, which costs
/// only time.
const REMEMBERED: usize = 4096;

/// Writes a new file, or replaces the content of an old one, and syncs its bytes. Its name is not
/// safe yet.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    // fdatasync: length and bytes, which reading needs, without the inode's times.
    file.sync_data()
}

/// Syncs the names in a folder, and removals of names.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder and its parents, and syncs their names.
pub fn make_root(root: &Path) -> io::Result<()> {
    let missing = root
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .count();
    fs::create_dir_all(root)?;
    // Also the name of a root that exists already: an earlier process may have been killed before
    // it synced it.
    let made_in = root.ancestors().skip(1).take(missing.max(1));
    made_in.map(or_here).try_for_each(|folder| {
        match sync_folder(folder) {
            // A folder that we may not even list was not made by us.
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
/// Guarantee: after [`Folders::ensure`] the folder exists, and its name and those of its parents up
/// to the root survive a power cut, no matter which process made them: an earlier one may have been
/// killed between making a folder and syncing it.
#[derive(Debug)]
pub struct Folders {
    root: PathBuf,
    /// Relative to the root. Only a cache: each process syncs each folder's parent once.
    safe: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            safe: Mutex::default(),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes a folder below the root, given by its relative path. The root itself is never made: a
    /// missing root is a disk that is not mounted. Returns `true` for a folder that is new, or new
    /// to this process.
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

    /// Forgets a folder that was removed.
    pub fn forget(&self, relative: &Path) {
        let mut safe = self.safe.lock().unwrap_or_else(PoisonError::into_inner);
        safe.remove(relative);
    }

    /// Forgets all folders, since any of them may have been removed.
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
