//! How much the spool may hold, and what happens at the limit.

use std::{sync::PoisonError, time::Duration};

use super::Spool;

/// How often a waiting thread looks whether it was stopped: a person who presses Ctrl-C does not notice a tenth of a second.
const LOOK_UP: Duration = Duration::from_millis(100);

/// The most that a spool may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Bytes of video.
    pub bytes: u64,
}

impl Limit {
    /// Whether a chunk fits beside what is held and let in. One that is larger than the limit itself passes when it is alone: waiting for
    /// room that cannot come would stop its camera for ever.
    fn admits(self, taken: u64, size: u64) -> bool {
        taken == 0 || taken.saturating_add(size) <= self.bytes
    }
}

impl Spool {
    /// Waits for room for a chunk of `size` bytes: the policy of sources that can wait, such as files.
    ///
    /// The room is reserved until the returned value is dropped, so that many cameras that wait do not all step into the same gap: commit
    /// first, then drop it. `None`: `stopped` said yes.
    pub fn wait_for_room(
        &self,
        limit: Limit,
        size: u64,
        stopped: impl Fn() -> bool,
    ) -> Option<Room<'_>> {
        let mut state = self.state();
        loop {
            if stopped() {
                return None;
            }
            let taken = state.index.bytes().saturating_add(state.reserved);
            if limit.admits(taken, size) {
                state.reserved += size;
                return Some(Room { spool: self, size });
            }
            let waited = self.changed.wait_timeout(state, LOOK_UP);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Room in the spool for one chunk, reserved until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Room<'a> {
    spool: &'a Spool,
    size: u64,
}

impl Drop for Room<'_> {
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
