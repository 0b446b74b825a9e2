//! How a program learns that it shall stop.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a program may take from the request to its end.
///
/// Kubernetes kills after 30 s unless told otherwise (`terminationGracePeriodSeconds`); five of them are left for
/// what happens before the signal arrives and after `run` has returned.
pub const GRACE: Duration = Duration::from_secs(25);

/// The wish that a program stop, shared by all of its tasks.
///
/// * It is asked for once and never taken back; asking again changes nothing.
/// * Clones are the same wish: whoever holds one can wait for it, ask whether it is there, or make it.
/// * The deadline counts from the first request, wherever it came from.
///
/// [`main`](crate::main) makes one from the signals; a test makes its own with [`Stop::new`].
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    requested_at: Arc<OnceLock<Instant>>,
}

impl Stop {
    /// One that nobody has requested yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Asks the program to stop.
    pub fn request(&self) {
        // First the time, so that whoever is woken by the token finds a deadline.
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

    /// How long the program may take from the request to its end: [`GRACE`].
    pub fn grace(&self) -> Duration {
        GRACE
    }

    /// When the grace is over; `None` while nobody has requested a stop.
    pub fn deadline(&self) -> Option<Instant> {
        self.requested_at.get().map(|at| *at + GRACE)
    }

    /// The wish as a token, for libraries that do not know this crate.
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
    async fn a_clone_hears_the_request_and_finds_a_deadline() {
        let stop = Stop::new();
        let heard = tokio::spawn({
            let stop = stop.clone();
            async move {
                stop.requested().await;
                stop.deadline()
            }
        });
        let now = Instant::now();
        stop.request();
        assert_eq!(heard.await.unwrap(), Some(now + GRACE));
        assert!(stop.is_requested());
    }

    #[tokio::test(start_paused = true)]
    async fn asking_again_does_not_move_the_deadline() {
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
