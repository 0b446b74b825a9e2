//! The limit of the spool's size, and the wait at the limit.

use std::time::Duration;

use super::Spool;

/// Interval at which a waiting thread checks for a stop: a person who presses Ctrl-C does not
/// notice a tenth of a second.
const CHECK: Duration = Duration::from_millis(100);

/// The largest size of a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Bytes of video.
    pub bytes: u64,
}

impl Limit {
    /// True if a chunk fits beside the held and reserved bytes. One that is larger than the limit
    /// itself passes when it is alone: waiting for space that cannot come would stop its camera for
    /// ever.
    fn admits(self, taken: u64, size: u64) -> bool {
        taken == 0 || taken.saturating_add(size) <= self.bytes
    }
}

impl Spool {
    /// Waits for space for a chunk of `size` bytes: the policy of sources that can wait, such as
    /// files.
    ///
    /// The space is reserved until the returned value is dropped, so that many waiting cameras do
    /// not all take the same gap: commit first, then drop it. `None` if `stopped` returned true.
    pub fn reserve(
        &self,
        limit: Limit,
        size: u64,
        stopped: impl Fn() -> bool,
    ) -> Option<Reservation<'_>> {
        let mut state = self.state();
        loop {
            if stopped() {
                return None;
            }
            let taken = state.index.bytes().saturating_add(state.reserved);
            if limit.admits(taken, size) {
                state.reserved += size;
                return Some(Reservation { spool: self, size });
            }
            self.changed.wait_for(&mut state, CHECK);
        }
    }
}

/// Space in the spool for one chunk, reserved until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Reservation<'a> {
    spool: &'a Spool,
    size: u64,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.spool.state().reserved -= self.size;
        self.spool.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn only_a_lone_chunk_exceeds_the_limit(bytes: u64, taken: u64, size: u64) {
            let fits = taken.checked_add(size).is_some_and(|sum| sum <= bytes);
            prop_assert_eq!(Limit { bytes }.admits(taken, size), fits || taken == 0);
        }
    }
}
