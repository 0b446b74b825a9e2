//! The wait for a full disk: a file can wait, as it does at the spool's limit, and chunks that the
//! bucket confirms make space.

use std::{
    thread,
    time::{Duration, Instant},
};

use crispy_fault::{Fault, chain};
use crispy_spool::is_disk_full;
use tracing::{info, warn};

/// Interval at which a waiting thread checks for a stop or a freed chunk.
const CHECK: Duration = Duration::from_millis(100);

/// Interval at which it tries anyway: others may free space on the disk unseen.
const RETRY: Duration = Duration::from_secs(2);

/// Repeats `commit` while the disk is full. `held` is the number of bytes in the spool: when it
/// falls, there is space. Blocks the calling thread.
///
/// `None` if `stopped` returned true.
pub(crate) fn retry_while_full<T>(
    held: impl Fn() -> u64,
    stopped: impl Fn() -> bool,
    mut commit: impl FnMut() -> Result<T, Fault>,
) -> Option<Result<T, Fault>> {
    let mut waiting = false;
    loop {
        let before = held();
        match commit() {
            Err(fault) if is_disk_full(&fault) => {
                if !waiting {
                    warn!(
                        error = chain(&fault),
                        hint = "free space on the disk, or check that the bucket takes chunks",
                        "spool disk full, recording waits"
                    );
                }
                waiting = true;
            }
            result => {
                if waiting && result.is_ok() {
                    info!("spool disk has space again");
                }
                return Some(result);
            }
        }
        let retry = Instant::now() + RETRY;
        while Instant::now() < retry && held() >= before {
            if stopped() {
                return None;
            }
            thread::sleep(CHECK);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, io};

    use crispy_fault::DependencyId;

    use super::*;

    fn fault(kind: io::ErrorKind) -> Fault {
        Fault::unavailable(DependencyId::Spool("s".into()), "write /spool/x")
            .with_source(io::Error::from(kind))
    }

    fn full() -> Fault {
        fault(io::ErrorKind::StorageFull)
    }

    #[test]
    fn a_chunk_is_committed_as_soon_as_another_is_freed() {
        let held = Cell::new(100_u64);
        let freed_while_waiting = || held.replace(held.get().saturating_sub(10));
        let mut tries = 0;
        let begun = Instant::now();
        let result = retry_while_full(
            freed_while_waiting,
            || false,
            || {
                tries += 1;
                if tries < 3 { Err(full()) } else { Ok(tries) }
            },
        );
        assert!(matches!(result, Some(Ok(3))), "{result:?}");
        assert!(begun.elapsed() < RETRY);
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let result = retry_while_full(|| 0, || true, || Err::<(), _>(full()));
        assert!(result.is_none());
    }

    #[test]
    fn another_error_is_returned_at_once() {
        for kind in [
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem,
        ] {
            let result = retry_while_full(|| 0, || false, || Err::<(), _>(fault(kind)));
            assert!(matches!(result, Some(Err(_))), "{kind}");
        }
    }
}
