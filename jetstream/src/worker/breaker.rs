//! The circuit breaker of a worker's shared dependencies, pure.

use std::time::Duration;

use tokio::time::Instant;

/// A circuit breaker.
///
/// It opens at the first failure of a shared dependency, and closes after a successful probe. While
/// it is open nothing is pulled and nothing handled. One probe runs at a time, and they start at
/// least a fixed interval apart.
#[derive(Debug)]
pub(super) struct Breaker {
    interval: Duration,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    next_probe: Instant,
    probing: bool,
}

impl Breaker {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            open: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Opens it. True where it was closed.
    pub(super) fn open(&mut self, now: Instant) -> bool {
        let was_closed = self.open.is_none();
        self.open.get_or_insert(Open {
            next_probe: now + self.interval,
            probing: false,
        });
        was_closed
    }

    /// The time of the next probe. None while it is closed, or while a probe runs.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        let open = self.open.as_ref().filter(|open| !open.probing);
        open.map(|open| open.next_probe)
    }

    /// Records the start of a probe.
    pub(super) fn start_probe(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.probing = true;
            open.next_probe = now + self.interval;
        }
    }

    /// Records the end of a probe. True where that closes the breaker.
    pub(super) fn end_probe(&mut self, available: bool) -> bool {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
        available && self.open.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_probe_runs_at_a_time_and_not_too_often() {
        let start = Instant::now();
        let interval = Duration::from_secs(2);
        let mut breaker = Breaker::new(interval);
        assert_eq!(breaker.probe_at(), None);
        assert!(breaker.open(start) && !breaker.open(start + interval));
        assert_eq!(breaker.probe_at(), Some(start + interval));
        breaker.start_probe(start + interval);
        assert_eq!(breaker.probe_at(), None);
        assert!(!breaker.end_probe(false));
        assert_eq!(breaker.probe_at(), Some(start + interval * 2));
        assert!(breaker.is_open());
    }

    #[test]
    fn a_successful_probe_closes_it_once() {
        let mut breaker = Breaker::new(Duration::from_secs(2));
        breaker.open(Instant::now());
        breaker.start_probe(Instant::now());
        assert!(breaker.end_probe(true));
        assert!(!breaker.is_open());
        assert!(!breaker.end_probe(true));
    }
}
