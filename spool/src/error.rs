//! Faults from errors of the disk.

use std::{error::Error, fmt, io};

use crispy_fault::{DependencyId, Fault};

/// An error of the owner's disk: `Corrupt` for content that makes no sense, else `Unavailable`, as
/// nothing can be kept until the disk works. `spool` is its id, or its folder before that is known.
pub(crate) fn io_fault(spool: impl fmt::Display, doing: String, error: io::Error) -> Fault {
    let fault = match error.kind() {
        io::ErrorKind::InvalidData => Fault::corrupt(doing),
        _ => Fault::unavailable(DependencyId::Spool(spool.to_string()), doing),
    };
    fault.with_source(error)
}

/// True if a full disk, or a quota, is the cause: the same commit succeeds once something has been
/// freed.
pub fn is_disk_full(fault: &Fault) -> bool {
    let mut cause = fault.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            );
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn only_a_full_disk_is_called_full() {
        let fault = |errno: Errno| io_fault("s", "write x".to_owned(), errno.into());
        for (errno, full) in [
            (Errno::NOSPC, true),
            (Errno::DQUOT, true),
            (Errno::IO, false),
            (Errno::ROFS, false),
            (Errno::ACCESS, false),
        ] {
            let fault = fault(errno);
            assert_eq!(is_disk_full(&fault), full, "{errno}");
            assert!(fault.is_unavailable(), "{errno}");
        }
    }
}
