//! The flag that ends a blocked read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once, from any thread, to make every blocked call of the source that holds a clone return `Cancelled`.
///
/// FFmpeg blocks in system calls for as long as a camera is silent; it asks this flag several times a second while it
/// waits, so a stop is seen within about 100 ms. There is no way back: a source that was stopped stays stopped.
#[derive(Clone, Debug, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag that is not set.
    pub fn new() -> StopFlag {
        StopFlag::default()
    }

    /// Asks every holder to stop.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
