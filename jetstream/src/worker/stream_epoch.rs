//! The stream's epoch: protects a re-created stream from acknowledgements meant for the old one.
//!
//! ```text
//!   delivered from the old stream ─── deleted ─── created again ─── acknowledged: which message?
//! ```
//!
//! The server settles by sequence alone. Measured (2.15.1): an acknowledgement of message 1 of a
//! deleted stream settled message 1 of its successor, while another worker handled that one; had
//! the attempt failed, the message would have been lost. So nothing is sent about a message unless
//! its stream is known to exist. The epoch is unknown after a reconnect and after an advisory that
//! the stream was deleted, until the stream was looked at again. Messages of an old epoch are
//! dropped without a word to the server: their chunks are still in a spool.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{bind::Binding, delivery::MessageRef};
use crate::connection::link::Link;

/// The current epoch of the stream, shared by a worker's tasks.
#[derive(Debug)]
pub(super) struct StreamEpoch(Mutex<State>);

#[derive(Clone, Copy, Debug)]
struct State {
    known: Option<Epoch>,
    /// The number of invalidations: an answer to an earlier request does not undo a later one.
    invalidations: u64,
}

#[derive(Clone, Copy, Debug)]
struct Epoch {
    created_us: i64,
    /// The number of connects of the link before the stream was looked at.
    connects: u64,
}

impl StreamEpoch {
    pub(super) fn new(binding: &Binding) -> Self {
        Self(Mutex::new(State {
            known: Some(Epoch::new(binding)),
            invalidations: 0,
        }))
    }

    /// Makes the epoch unknown: the stream may be gone.
    pub(super) fn invalidate(&self) {
        let mut state = self.state();
        state.known = None;
        state.invalidations += 1;
    }

    /// Sets the epoch, looked at after the latest invalidation.
    pub(super) fn confirm(&self, binding: &Binding) {
        self.state().known = Some(Epoch::new(binding));
    }

    /// Sets the epoch, unless it was invalidated again since there were `invalidations`.
    pub(super) fn confirm_since(&self, invalidations: u64, binding: &Binding) {
        let mut state = self.state();
        if state.invalidations == invalidations {
            state.known = Some(Epoch::new(binding));
        }
    }

    pub(super) fn invalidations(&self) -> u64 {
        self.state().invalidations
    }

    /// Whether the stream was looked at since `link` was made. False while `link` is down: whatever
    /// is published then is sent after the reconnect, to whichever stream exists by then.
    pub(super) fn is_known(&self, link: &Link) -> bool {
        self.known(link).is_some()
    }

    /// Whether the server means `message` by its sequence.
    pub(super) fn is_current(&self, message: MessageRef, link: &Link) -> bool {
        self.known(link)
            .is_some_and(|epoch| epoch.created_us == message.created_us)
    }

    fn known(&self, link: &Link) -> Option<Epoch> {
        let known = self.state().known;
        known.filter(|epoch| link.is_connected() && epoch.connects == link.connects())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Epoch {
    fn new(binding: &Binding) -> Self {
        Self {
            created_us: binding.created_us,
            connects: binding.connects,
        }
    }
}
