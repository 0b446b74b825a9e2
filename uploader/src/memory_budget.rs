//! A limit on the memory of all chunks in flight.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The bytes of one permit: a semaphore counts to 2^32 at most, which are 4 TiB in these.
const UNIT: u64 = 1024;

/// A limit on the bytes of all chunks that are held at once.
///
/// First come, first served: a large chunk waits until it fits, and small ones never overtake it. A
/// chunk larger than the whole budget passes alone.
#[derive(Clone, Debug)]
pub(crate) struct MemoryBudget {
    units: u32,
    free: Arc<Semaphore>,
}

/// A part of the budget, until it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    _permit: Option<OwnedSemaphorePermit>,
}

/// Bytes with their reservation.
struct ReservedBytes {
    bytes: Bytes,
    _reservation: Reservation,
}

impl MemoryBudget {
    /// A budget of so many bytes, at least one.
    pub(crate) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let units = units.max(1);
        Self {
            units,
            free: Arc::new(Semaphore::new(units as usize)),
        }
    }

    /// Waits until `bytes` fit.
    pub(crate) async fn reserve(&self, bytes: u64) -> Reservation {
        let wanted = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let free = Arc::clone(&self.free);
        Reservation {
            // Never closed, so it always succeeds.
            _permit: free.acquire_many_owned(wanted.min(self.units)).await.ok(),
        }
    }
}

impl Reservation {
    /// Ties the reservation to its bytes: it is freed with the last of their copies.
    pub(crate) fn attach(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(ReservedBytes {
            bytes,
            _reservation: self,
        })
    }
}

impl AsRef<[u8]> for ReservedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn waits(budget: &MemoryBudget, bytes: u64) -> bool {
        budget.reserve(bytes).now_or_never().is_none()
    }

    #[test]
    fn memory_is_freed_with_the_last_copy_of_its_bytes() {
        let budget = MemoryBudget::new(10 * UNIT);
        let reservation = budget.reserve(8 * UNIT).now_or_never().unwrap();
        assert!(waits(&budget, 3 * UNIT) && !waits(&budget, 2 * UNIT));
        let bytes = reservation.attach(Bytes::from_static(b"a chunk"));
        let copy = bytes.slice(2..);
        drop(bytes);
        assert!(waits(&budget, 3 * UNIT));
        assert_eq!(copy, &b"chunk"[..]);
        drop(copy);
        assert!(!waits(&budget, 10 * UNIT));
    }

    #[test]
    fn a_chunk_larger_than_the_budget_passes_alone() {
        for size in [0, UNIT, u64::MAX] {
            let budget = MemoryBudget::new(size);
            let alone = budget.reserve(u64::MAX).now_or_never().unwrap();
            assert!(waits(&budget, 1));
            drop(alone);
            assert!(!waits(&budget, 1));
        }
    }

    #[test]
    fn a_large_chunk_is_not_overtaken() {
        let budget = MemoryBudget::new(10 * UNIT);
        let small = budget.reserve(UNIT).now_or_never().unwrap();
        let mut large = Box::pin(budget.reserve(10 * UNIT));
        assert!((&mut large).now_or_never().is_none());
        assert!(waits(&budget, UNIT), "it would be served before its turn");
        drop(small);
        assert!(large.now_or_never().is_some());
    }
}
