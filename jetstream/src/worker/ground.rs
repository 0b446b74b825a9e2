//! Which stream this is: whether what is held was taken from the one that stands now.
//!
//! ```text
//!   taken from the old stream ─── deleted, wiped ─── made again ─── acknowledged: whose message is that?
//! ```
//!
//! The server settles by sequence alone: measured (2.15.1), an acknowledgement of message 1 of a deleted stream settled message 1 of its
//! successor, which another worker was at, and which nobody would have handled had that one failed. So nothing is said about a message
//! unless its stream is known to stand: not after the connection was made anew, nor after the server has said that the stream was deleted,
//! until the stream was looked at again; and what came from another one is let go of in silence. Whatever was in that is in a spool still.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{bind::Binding, place::Place};
use crate::connection::Link;

/// What is known of the stream, shared by a worker and its jobs.
#[derive(Debug)]
pub(super) struct Ground(Mutex<Knowledge>);

#[derive(Clone, Copy, Debug)]
struct Knowledge {
    known: Option<Known>,
    /// How often it was doubted: what was looked at before the latest doubt is no answer to it.
    doubts: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    created_us: i64,
    /// How often the link had been made before it was looked at.
    connects: u64,
}

impl Ground {
    pub(super) fn new(binding: &Binding) -> Self {
        Self(Mutex::new(Knowledge {
            known: Some(Known::of(binding)),
            doubts: 0,
        }))
    }

    /// It may be gone.
    pub(super) fn doubt(&self) {
        let mut knowledge = self.knowledge();
        knowledge.known = None;
        knowledge.doubts += 1;
    }

    /// It was looked at, since the latest doubt.
    pub(super) fn found(&self, binding: &Binding) {
        self.knowledge().known = Some(Known::of(binding));
    }

    /// It was looked at, since there had been so many doubts.
    pub(super) fn found_since(&self, doubts: u64, binding: &Binding) {
        let mut knowledge = self.knowledge();
        if knowledge.doubts == doubts {
            knowledge.known = Some(Known::of(binding));
        }
    }

    pub(super) fn doubts(&self) -> u64 {
        self.knowledge().doubts
    }

    /// Whether it has been looked at since `link` was made. Never while `link` is down: what is said then is sent when it is up again, whatever
    /// has become of the stream by then.
    pub(super) fn is_known(&self, link: &Link) -> bool {
        self.known(link).is_some()
    }

    /// Whether the message at `place` is surely the one that the server means by its sequence.
    pub(super) fn holds(&self, place: Place, link: &Link) -> bool {
        self.known(link)
            .is_some_and(|known| known.created_us == place.created_us)
    }

    fn known(&self, link: &Link) -> Option<Known> {
        let known = self.knowledge().known;
        known.filter(|known| link.is_connected() && known.connects == link.connects())
    }

    fn knowledge(&self) -> MutexGuard<'_, Knowledge> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn of(binding: &Binding) -> Self {
        Self {
            created_us: binding.created_us,
            connects: binding.connects,
        }
    }
}
