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

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::timeout;

use super::{
    bind::{self, Binding},
    held::Place,
    job::Bench,
};
use crate::connection::Link;

/// How long a message that is done with waits to learn whether its stream still stands: as long as for a confirmation.
const FINDING: Duration = Duration::from_secs(5);

/// What is known of the stream, shared by a worker and its jobs.
#[derive(Debug)]
pub(super) struct Ground(Mutex<Option<Known>>);

#[derive(Clone, Copy, Debug)]
struct Known {
    created_us: i64,
    /// How often the link had been made before it was looked at.
    connects: u64,
}

impl Ground {
    pub(super) fn new(binding: &Binding) -> Self {
        Self(Mutex::new(Some(Known::of(binding))))
    }

    /// It may be gone.
    pub(super) fn doubt(&self) {
        self.set(None);
    }

    /// It was looked at.
    pub(super) fn found(&self, binding: &Binding) {
        self.set(Some(Known::of(binding)));
    }

    /// Whether it has been looked at since `link` was made.
    pub(super) fn is_known(&self, link: &Link) -> bool {
        self.known(link).is_some()
    }

    /// Whether the message at `place` is surely the one that the server means by its sequence.
    pub(super) fn holds(&self, place: Place, link: &Link) -> bool {
        self.known(link)
            .is_some_and(|known| known.created_us == place.created_us)
    }

    fn known(&self, link: &Link) -> Option<Known> {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.filter(|known| known.connects == link.connects())
    }

    fn set(&self, known: Option<Known>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// Whether the stream that the message at `place` was taken from stands. Where that is in doubt, it looks.
pub(super) async fn is_there(bench: &Bench, place: Place) -> bool {
    let (ground, link) = (&bench.ground, bench.connection.consuming());
    if !ground.is_known(link) {
        // In a box, for it is rare, and every message that is closed would carry its size.
        let seeking = Box::pin(bind::seek(bench.connection.clone(), bench.config.stage));
        match timeout(FINDING, seeking).await {
            Ok(binding) => ground.found(&binding),
            Err(_) => return false,
        }
    }
    ground.holds(place, link)
}

impl Known {
    fn of(binding: &Binding) -> Self {
        Self {
            created_us: binding.created_us,
            connects: binding.connects,
        }
    }
}
