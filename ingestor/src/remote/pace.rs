//! How fast bytes come. Pure.

use std::time::Duration;

/// How long is waited for bytes, in all, before it is looked at how many came.
const STRETCH: Duration = Duration::from_secs(60);

/// Bytes that have to come in that time: a few frames of the poorest camera.
const LEAST: u64 = 4 << 10;

/// Tells a server that is slow from one that would never get done: byte by byte, each just before patience ends.
///
/// Only waiting counts: a source that waits for room in the spool asks for nothing, and nothing is held against its server.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waited: Duration,
    came: u64,
}

impl Pace {
    /// Takes note that `bytes` came after `waited`; whether it is still worth waiting.
    pub(super) fn keeps(&mut self, waited: Duration, bytes: usize) -> bool {
        self.waited += waited;
        self.came += bytes as u64;
        if self.waited < STRETCH {
            return true;
        }
        let enough = self.came >= LEAST;
        *self = Self::default();
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_sends_byte_by_byte_is_given_up_after_a_minute() {
        let mut pace = Pace::default();
        let second = Duration::from_secs(1);
        assert_eq!((0..100).position(|_| !pace.keeps(second, 2)), Some(59));
    }

    #[test]
    fn a_slow_server_is_waited_for_as_long_as_it_takes() {
        let mut pace = Pace::default();
        let second = Duration::from_secs(1);
        assert!((0..10_000).all(|_| pace.keeps(second, 100)));
        // and time in which nobody waited is not its fault
        assert!((0..10_000).all(|_| pace.keeps(Duration::ZERO, 1)));
    }
}
