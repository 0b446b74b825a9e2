//! The request to stop, and its deadline.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The longest time from the request to the end of a program.
///
/// Kubernetes kills after 30 s by default (`terminationGracePeriodSeconds`); five of them remain
/// for the time before the signal arrives and after `run` has returned.
pub const GRACE: Duration = Duration::from_secs(25);

/// The request that a program stop, shared by all of its tasks.
///
/// * It is made once and never taken back; a second request changes nothing.
/// * Clones are the same request: each can make it, wait for it, or look whether it was made.
/// * The deadline counts from the first request, whatever its source.
///
/// [`main`](crate::main) makes one from the signals; a test makes its own with [`Stop::new`].
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    requested_at: Arc<OnceLock<Instant>>,
}

impl Stop {
    /// A stop that is not requested yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Asks the program to stop.
    pub fn request(&self) {
        // The time first, so that tasks woken by the token find a deadline.
        self.requested_at.get_or_init(Instant::now);
        self.token.cancel();
    }

    /// Waits until a stop is requested; returns at once if it has been.
    pub async fn requested(&self) {
        self.token.cancelled().await;
    }

    /// Whether a stop has been requested.
    pub fn is_requested(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The longest time from the request to the end: [`GRACE`].
    pub fn grace(&self) -> Duration {
        GRACE
    }

    /// The end of the grace; `None` before a request.
    pub fn deadline(&self) -> Option<Instant> {
        self.requested_at.get().map(|at| *at + GRACE)
    }

    /// The request as a token, for libraries that do not know this crate.
    ///
    /// A child: it is cancelled with this stop, and cancelling it stops nothing else.
    pub fn token(&self) -> CancellationToken {
        self.token.child_token()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clone_is_woken_and_finds_a_deadline() {
        let stop = Stop::new();
        let woken = tokio::spawn({
            let stop = stop.clone();
            async move {
                stop.requested().await;
                stop.deadline()
            }
        });
        let now = Instant::now();
        stop.request();
        assert_eq!(woken.await.unwrap(), Some(now + GRACE));
        assert!(stop.is_requested());
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_request_does_not_move_the_deadline() {
        let stop = Stop::new();
        assert_eq!(stop.deadline(), None);
        stop.request();
        let deadline = stop.deadline();
        tokio::time::advance(Duration::from_secs(3)).await;
        stop.request();
        assert_eq!(stop.deadline(), deadline);
    }

    #[test]
    fn a_cancelled_token_stops_nothing_else() {
        let stop = Stop::new();
        stop.token().cancel();
        assert!(!stop.is_requested());
        let token = stop.token();
        stop.request();
        assert!(token.is_cancelled());
    }
}
