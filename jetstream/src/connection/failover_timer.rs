//! The time after which a silent server is left for another of its cluster.

use std::time::Duration;

use tokio::time::Instant;

/// The usual response time of a busy node, with slack. An election takes longer (4.5 to 7 s,
/// measured); switching during one gains nothing and costs milliseconds.
const SILENCE_LIMIT: Duration = Duration::from_secs(2);

/// Measures unsuccessful time on one connection. A new connection gets its own time.
#[derive(Debug)]
pub(crate) struct FailoverTimer {
    connects: u64,
    deadline: Instant,
}

impl FailoverTimer {
    /// Starts on the connection with this number of connects.
    pub(crate) fn new(connects: u64) -> Self {
        Self {
            connects,
            deadline: Instant::now() + SILENCE_LIMIT,
        }
    }

    /// Whether the time is over, after an unsuccessful attempt on the connection `connects`.
    pub(crate) fn is_expired(&mut self, connects: u64) -> bool {
        if self.connects != connects {
            *self = Self::new(connects);
        }
        Instant::now() > self.deadline
    }
}
