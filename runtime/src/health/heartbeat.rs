//! The heartbeat of the program's tasks: one of them beats once a second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Between two beats.
const INTERVAL: Duration = Duration::from_secs(1);

/// Without a beat for so long the program counts as stuck. A hanging disk blocks one thread for
/// some seconds, which is no reason yet.
const STUCK: Duration = Duration::from_secs(30);

/// The heartbeat. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Heartbeat {
    began: Instant,
    /// The last beat, in milliseconds since then.
    last: Arc<AtomicU64>,
    stuck: Duration,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new(STUCK)
    }
}

impl Heartbeat {
    /// A heartbeat that counts as stuck after this time.
    pub(crate) fn new(stuck: Duration) -> Self {
        Self {
            began: Instant::now(),
            last: Arc::default(),
            stuck: stuck.min(STUCK),
        }
    }

    /// Beats until it is dropped: a task among the program's.
    pub(crate) async fn beat(self) {
        let mut beats = tokio::time::interval(INTERVAL.min(self.stuck / 4));
        loop {
            beats.tick().await;
            let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.last.store(now, Relaxed);
        }
    }

    /// The time without a beat, if it is too long.
    pub(crate) fn stuck_for(&self) -> Option<Duration> {
        let last = Duration::from_millis(self.last.load(Relaxed));
        let silent = self.began.elapsed().saturating_sub(last);
        (silent >= self.stuck).then_some(silent)
    }
}
