//! Faults of a folder bucket, from errors of the operating system.

use std::io;

use crispy_fault::{Fault, Kind};

use crate::unavailable;

/// Errors of the files of one bucket.
#[derive(Debug)]
pub(super) struct IoFaults {
    url: String,
}

/// An object without a file.
pub(super) fn absent() -> Fault {
    Fault::not_found("no such object")
}

impl IoFaults {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
        }
    }

    /// An error while an object is read: here a missing file is a missing object.
    pub(super) fn reading(&self, error: io::Error) -> Fault {
        match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory => absent(),
            _ => Fault::new(self.kind(&error), "read file").with_source(error),
        }
    }

    /// An error while an object is written.
    pub(super) fn writing(&self, error: io::Error) -> Fault {
        Fault::new(self.kind(&error), "write file").with_source(error)
    }

    fn kind(&self, error: &io::Error) -> Kind {
        use io::ErrorKind as E;
        match error.kind() {
            // The bucket's folder is missing (a disk that is not mounted), forbidden, full, or
            // lacks a feature: true of every chunk until a person fixes it.
            E::NotFound
            | E::PermissionDenied
            | E::ReadOnlyFilesystem
            | E::StorageFull
            | E::QuotaExceeded
            | E::Unsupported
            | E::StaleNetworkFileHandle
            | E::HostUnreachable
            | E::NetworkUnreachable
            | E::NetworkDown => unavailable(&self.url),
            // A file in place of a folder, or a folder in place of the object: true of this key
            // only.
            E::NotADirectory
            | E::IsADirectory
            | E::InvalidFilename
            | E::InvalidInput
            | E::FileTooLarge => Kind::Rejected,
            // EIO and the unexpected: another try may succeed, and the worker's limit ends the
            // tries.
            _ => Kind::Transient { retry_after: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_disk_error_has_the_kind_of_its_remedy() {
        let faults = IoFaults::new("file:///b");
        let rows = [
            (
                &[
                    Errno::NOSPC,
                    Errno::DQUOT,
                    Errno::ACCESS,
                    Errno::PERM,
                    Errno::ROFS,
                    Errno::NOENT,
                    Errno::OPNOTSUPP,
                ][..],
                "unavailable",
            ),
            (
                &[
                    Errno::IO,
                    Errno::INTR,
                    Errno::NFILE,
                    Errno::MFILE,
                    Errno::NOMEM,
                ],
                "transient",
            ),
            (
                &[Errno::NAMETOOLONG, Errno::NOTDIR, Errno::ISDIR, Errno::FBIG],
                "rejected",
            ),
        ];
        for (errnos, kind) in rows {
            for errno in errnos {
                let fault = faults.writing((*errno).into());
                assert_eq!(fault.kind().as_str(), kind, "{errno}");
            }
        }
        assert!(faults.reading(Errno::NOENT.into()).is_not_found());
    }
}
