//! How long a server that gives no answer is asked before another of its cluster is.

use std::time::Duration;

use tokio::time::Instant;

/// As long as a node takes, give or take, to say something of its own. An election takes longer (4.5 to 7 s, measured); whoever moves on during
/// one has moved on for nothing, which costs milliseconds.
const ON_ONE_SERVER: Duration = Duration::from_secs(2);

/// Time in vain on one connection: a new one gets its own.
#[derive(Debug)]
pub(crate) struct Patience {
    connects: u64,
    until: Instant,
}

impl Patience {
    /// It begins on the connection that has been made so many times.
    pub(crate) fn begins(connects: u64) -> Self {
        Self {
            connects,
            until: Instant::now() + ON_ONE_SERVER,
        }
    }

    /// Whether it is over, after an attempt on the connection as of `connects` was in vain.
    pub(crate) fn is_over(&mut self, connects: u64) -> bool {
        if self.connects != connects {
            *self = Self::begins(connects);
        }
        Instant::now() > self.until
    }
}
