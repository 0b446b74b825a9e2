//! Whether the program's tasks run: one of them beats once a second, and whoever asks hears how long ago.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Between two beats.
const BEAT: Duration = Duration::from_secs(1);

/// Without a beat for so long the program is taken for dead. A disk that hangs holds up one thread for some seconds, and is no reason yet.
const STUCK: Duration = Duration::from_secs(30);

/// The pulse of the program's tasks.
#[derive(Clone, Debug)]
pub(crate) struct Heartbeat {
    began: Instant,
    /// The last beat, in milliseconds since then.
    last: Arc<AtomicU64>,
    stuck: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::with_patience(STUCK)
    }
}

impl Heartbeat {
    /// One that counts as stuck after this time.
    pub(crate) fn with_patience(stuck: Duration) -> Self {
        Self {
            began: Instant::now(),
            last: Arc::default(),
            stuck,
        }
    }

    /// Beats until it is dropped: a task among the program's.
    pub(crate) async fn beat(self) {
        let mut beats = tokio::time::interval(BEAT.min(self.stuck / 4));
        loop {
            beats.tick().await;
            let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last.store(now, Relaxed);
        }
    }

    /// For how long there has been no beat, if that is too long.
    pub(crate) fn stuck_for(&self) -> Option<Duration> {
        let last = Duration::from_millis(self.last.load(Relaxed));
        let silent = self.began.elapsed().saturating_sub(last);
        (silent >= self.stuck).then_some(silent)
    }
}
