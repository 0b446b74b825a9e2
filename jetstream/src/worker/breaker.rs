//! Whether the destination is there, as far as is known. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// The switch between working and waiting.
///
/// It opens at the first word that the destination is away, and closes when a probe says that it is back. While it is open nothing is pulled
/// and nothing handled; one probe at a time asks, not sooner than a set time after the one before.
#[derive(Debug)]
pub(super) struct Breaker {
    every: Duration,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    next_probe: Instant,
    probing: bool,
}

impl Breaker {
    pub(super) fn new(every: Duration) -> Self {
        Self { every, open: None }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The destination is away. True when that is news.
    pub(super) fn open(&mut self, now: Instant) -> bool {
        let news = self.open.is_none();
        self.open.get_or_insert(Open {
            next_probe: now + self.every,
            probing: false,
        });
        news
    }

    /// When to probe next; None while closed, or while a probe is under way.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        let open = self.open.as_ref().filter(|open| !open.probing);
        open.map(|open| open.next_probe)
    }

    pub(super) fn probe_begins(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.probing = true;
            open.next_probe = now + self.every;
        }
    }

    /// A probe has ended. True when the destination is back.
    pub(super) fn probe_ended(&mut self, back: bool) -> bool {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
        back && self.open.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_probe_at_a_time_and_not_too_often() {
        let start = Instant::now();
        let every = Duration::from_secs(2);
        let mut breaker = Breaker::new(every);
        assert_eq!(breaker.probe_at(), None);
        assert!(breaker.open(start) && !breaker.open(start + every));
        assert_eq!(breaker.probe_at(), Some(start + every));
        breaker.probe_begins(start + every);
        assert_eq!(breaker.probe_at(), None);
        assert!(!breaker.probe_ended(false));
        assert_eq!(breaker.probe_at(), Some(start + every * 2));
        assert!(breaker.is_open());
    }

    #[test]
    fn it_closes_when_the_destination_is_back() {
        let mut breaker = Breaker::new(Duration::from_secs(2));
        breaker.open(Instant::now());
        breaker.probe_begins(Instant::now());
        assert!(breaker.probe_ended(true));
        assert!(!breaker.is_open());
        assert!(!breaker.probe_ended(true), "it closes once");
    }
}
