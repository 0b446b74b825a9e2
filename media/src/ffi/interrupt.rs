//! The interrupt callback that libav polls while it waits.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ffmpeg_sys_next as av;

use crate::stop::StopFlag;

/// Ends a blocked call when the flag is set, or a deadline has passed.
///
/// libav polls it about every 100 ms while it waits for the network, and once before each read of a
/// file, always from the calling thread. It records the reason, because libav's own answer does not
/// show it (a server that accepts and stays silent ends in "invalid data").
#[derive(Debug)]
pub(crate) struct Watch {
    stop: StopFlag,
    born: Instant,
    /// Nanoseconds after `born`; `u64::MAX` for none.
    deadline: AtomicU64,
    expired: AtomicBool,
}

impl Watch {
    /// Watches the flag; no deadline yet.
    pub(crate) fn new(stop: StopFlag) -> Box<Watch> {
        let deadline = AtomicU64::new(u64::MAX);
        Box::new(Watch {
            stop,
            born: Instant::now(),
            deadline,
            expired: AtomicBool::new(false),
        })
    }

    /// Sets the deadline to `limit` from now.
    pub(crate) fn allow(&self, limit: Duration) {
        let nanos = (self.born.elapsed() + limit).as_nanos();
        self.deadline
            .store(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns true if the deadline ended a call.
    pub(crate) fn expired(&self) -> bool {
        self.expired.load(Ordering::Relaxed)
    }

    /// Returns true if the flag is set.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.is_stopped()
    }

    fn is_over(&self) -> bool {
        if self.stop.is_stopped() {
            return true;
        }
        let deadline = self.deadline.load(Ordering::Relaxed);
        let over = deadline != u64::MAX && self.born.elapsed().as_nanos() >= u128::from(deadline);
        if over {
            self.expired.store(true, Ordering::Relaxed);
        }
        over
    }

    /// The callback for libav. Valid until the watch is moved out of its box or dropped.
    pub(super) fn callback(&self) -> av::AVIOInterruptCB {
        let opaque = std::ptr::from_ref(self).cast_mut().cast::<c_void>();
        av::AVIOInterruptCB {
            callback: Some(poll),
            opaque,
        }
    }
}

extern "C" fn poll(opaque: *mut c_void) -> c_int {
    // SAFETY: the pointer is the one of `Watch::callback`; the demuxer that set it keeps the watch
    // until its context is closed. Only shared access is made, and every field that changes is
    // atomic.
    let watch = unsafe { &*opaque.cast::<Watch>() };
    c_int::from(watch.is_over())
}
