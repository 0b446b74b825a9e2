//! What went wrong in a bucket, sorted by what a caller does next. What a folder's disk says is judged here, what a store answers in
//! [`judge`](super::remote).

use std::{error::Error, io, time::Duration};

/// Any error of any store, kept for its words.
pub type Cause = Box<dyn Error + Send + Sync + 'static>;

/// Without coordinates: those are added where they are known, at the bucket's door.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no such object.
    Absent,
    /// Nothing can be had from this bucket now, nor before the time that the store names.
    Unavailable(Cause, Option<Duration>),
    /// This once it did not work.
    Transient(Cause, Option<Duration>),
    /// The store refused the bytes by their checksum.
    Damaged(Cause),
    /// It will never work.
    Invalid(Cause),
}

impl Fault {
    pub(super) fn invalid(cause: impl Into<Cause>) -> Self {
        Self::Invalid(cause.into())
    }

    pub(super) fn transient(cause: impl Into<Cause>) -> Self {
        Self::Transient(cause.into(), None)
    }

    pub(super) fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::Unavailable(cause.into(), None)
    }

    /// A folder's error while an object is read: here a missing file is a missing object.
    pub(super) fn reading(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory => Self::Absent,
            _ => Self::writing(error),
        }
    }

    /// A folder's error while an object is written.
    pub(super) fn writing(error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            // The bucket's folder is missing (a disk that is not mounted), may not be touched, is full, or cannot do what is needed:
            // true of every chunk, and for a person to mend.
            Kind::NotFound
            | Kind::PermissionDenied
            | Kind::ReadOnlyFilesystem
            | Kind::StorageFull
            | Kind::QuotaExceeded
            | Kind::Unsupported
            | Kind::StaleNetworkFileHandle
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown => Self::unavailable(error),
            // A file where a folder should be, or a folder where the object should be: true of this key only.
            Kind::NotADirectory
            | Kind::IsADirectory
            | Kind::InvalidFilename
            | Kind::InvalidInput
            | Kind::FileTooLarge => Self::Invalid(error.into()),
            // EIO and what nobody thought of: worth another try, and the worker's own count ends it.
            _ => Self::transient(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn what_a_folder_answers_is_sorted_by_what_helps() {
        for errno in [
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::ACCESS,
            Errno::PERM,
            Errno::ROFS,
            Errno::NOENT,
            Errno::OPNOTSUPP,
        ] {
            let fault = Fault::writing(errno.into());
            assert!(
                matches!(fault, Fault::Unavailable(..)),
                "{errno}: {fault:?}"
            );
        }
        for errno in [
            Errno::IO,
            Errno::INTR,
            Errno::NFILE,
            Errno::MFILE,
            Errno::NOMEM,
        ] {
            let fault = Fault::writing(errno.into());
            assert!(matches!(fault, Fault::Transient(..)), "{errno}: {fault:?}");
        }
        for errno in [Errno::NAMETOOLONG, Errno::NOTDIR, Errno::ISDIR, Errno::FBIG] {
            let fault = Fault::writing(errno.into());
            assert!(matches!(fault, Fault::Invalid(_)), "{errno}: {fault:?}");
        }
        assert!(matches!(Fault::reading(Errno::NOENT.into()), Fault::Absent));
    }
}
