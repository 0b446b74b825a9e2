//! One owner at a time.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::Path,
};

use super::layout;

/// The right to write to a spool: held for as long as this value lives, and given back by the kernel however its process ends.
#[derive(Debug)]
pub(super) struct Lock {
    _held: File,
}

pub(super) enum Refusal {
    /// Another process has it; its id where it could be read.
    InUse(Option<u32>),
    Io(io::Error),
}

impl Lock {
    pub(super) fn take(root: &Path) -> Result<Self, Refusal> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(root.join(layout::LOCK)).map_err(Refusal::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Refusal::InUse(read_pid(&mut file))),
            Err(TryLockError::Error(error)) => return Err(Refusal::Io(error)),
        }
        // For the message of whoever is refused. The lock is the kernel's: nothing rests on this text.
        let pid = format!("{}\n", std::process::id());
        let written = file
            .set_len(0)
            .and_then(|()| file.write_all(pid.as_bytes()));
        written.map_err(Refusal::Io)?;
        Ok(Self { _held: file })
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
