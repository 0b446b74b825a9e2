//! A full disk is waited out, as the spool's limit is: a file can wait, and what the bucket confirms makes room.

use std::{
    thread,
    time::{Duration, Instant},
};

use crispy_spool::CommitError;
use tracing::{info, warn};

/// How often a waiting thread looks whether it was stopped or something was freed.
const LOOK_UP: Duration = Duration::from_millis(100);

/// How often it tries all the same: room may have been made by others, who do not say so.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Commits, again and again while the disk is full. `held` are the bytes in the spool: where they get fewer there is room. Blocks.
///
/// `None`: `stopped` said yes.
pub fn wait_out<T>(
    held: impl Fn() -> u64,
    stopped: impl Fn() -> bool,
    mut commit: impl FnMut() -> Result<T, CommitError>,
) -> Option<Result<T, CommitError>> {
    let mut waiting = false;
    loop {
        let before = held();
        match commit() {
            Err(CommitError::DiskFull { path, .. }) => {
                if !waiting {
                    warn!(path = %path.display(), "the spool's disk is full: recording waits until something on it is freed; make room, or see that the bucket takes what is in the spool");
                }
                waiting = true;
            }
            ended => {
                if waiting && ended.is_ok() {
                    info!("the spool's disk has room again");
                }
                return Some(ended);
            }
        }
        let again = Instant::now() + TRY_AGAIN;
        while Instant::now() < again && held() >= before {
            if stopped() {
                return None;
            }
            thread::sleep(LOOK_UP);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, io};

    use super::*;

    fn full() -> CommitError {
        CommitError::DiskFull {
            path: "/spool/x".into(),
            source: io::ErrorKind::StorageFull.into(),
        }
    }

    #[test]
    fn a_chunk_is_committed_as_soon_as_something_was_freed() {
        let held = Cell::new(100_u64);
        let freed_while_waiting = || held.replace(held.get().saturating_sub(10));
        let mut tries = 0;
        let begun = Instant::now();
        let ended = wait_out(
            freed_while_waiting,
            || false,
            || {
                tries += 1;
                if tries < 3 { Err(full()) } else { Ok(tries) }
            },
        );
        assert!(matches!(ended, Some(Ok(3))), "{ended:?}");
        assert!(begun.elapsed() < TRY_AGAIN);
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let ended = wait_out(|| 0, || true, || Err::<(), _>(full()));
        assert!(ended.is_none());
    }

    #[test]
    fn another_error_is_not_waited_out() {
        let failing = || {
            Err::<(), _>(CommitError::Io {
                path: "/spool/x".into(),
                source: io::ErrorKind::PermissionDenied.into(),
            })
        };
        assert!(matches!(
            wait_out(|| 0, || false, failing),
            Some(Err(CommitError::Io { .. }))
        ));
    }
}
