//! Detection of servers that send too slowly to ever finish. Pure.

use std::time::Duration;

/// Time spent waiting for bytes between two decisions.
const PERIOD: Duration = Duration::from_secs(60);

/// Bytes that have to come in that time: a few frames of the poorest camera.
const MINIMUM: u64 = 4 << 10;

/// Tells a slow server from one that sends byte by byte, each just before the time-out.
///
/// Only waiting counts: a source that waits for space in the spool asks for nothing, and its server
/// is not blamed for that time.
#[derive(Debug, Default)]
pub(super) struct StallDetector {
    waited: Duration,
    received: u64,
}

impl StallDetector {
    /// Adds `bytes` that came after `waited`. False when the server is stalled.
    pub(super) fn record(&mut self, waited: Duration, bytes: usize) -> bool {
        self.waited += waited;
        self.received += bytes as u64;
        if self.waited < PERIOD {
            return true;
        }
        let enough = self.received >= MINIMUM;
        *self = Self::default();
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_sends_byte_by_byte_stalls_after_a_minute() {
        let mut detector = StallDetector::default();
        let second = Duration::from_secs(1);
        assert_eq!((0..100).position(|_| !detector.record(second, 2)), Some(59));
    }

    #[test]
    fn a_slow_server_never_stalls() {
        let mut detector = StallDetector::default();
        let second = Duration::from_secs(1);
        assert!((0..10_000).all(|_| detector.record(second, 100)));
        // Time without waiting does not count.
        assert!((0..10_000).all(|_| detector.record(Duration::ZERO, 1)));
    }
}
