//! The lock: one owner at a time.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::Path,
};

use super::layout;

/// The right to write to a spool. Held as long as this value lives, and given back by the kernel
/// however its process ends.
#[derive(Debug)]
pub(super) struct Lock {
    _held: File,
}

impl Lock {
    /// Takes the lock, or returns the owner's process id, where it can be read.
    pub(super) fn take(root: &Path) -> io::Result<Result<Self, Option<u32>>> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(root.join(layout::LOCK))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Err(read_pid(&mut file))),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // For the message to a second owner. The lock is the kernel's: nothing rests on this text.
        file.set_len(0)?;
        file.write_all(format!("{}\n", std::process::id()).as_bytes())?;
        Ok(Ok(Self { _held: file }))
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
