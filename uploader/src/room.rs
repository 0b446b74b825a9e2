//! Room for chunks in memory: so many bytes and no more, however many uploads there are.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is counted at a time: a semaphore counts to 2^32 at most, which are 4 TiB in these.
const UNIT: u64 = 1024;

/// A limit on the bytes of all chunks that are held at once.
///
/// Who comes first is served first: a large chunk waits until there is room for it, and is not overtaken by small ones for ever. One that is larger
/// than all the room there is passes alone.
#[derive(Clone, Debug)]
pub struct Room {
    units: u32,
    free: Arc<Semaphore>,
}

/// Room that is taken, until this is dropped.
#[derive(Debug)]
pub struct Taken {
    _room: Option<OwnedSemaphorePermit>,
}

/// Bytes with the room that they take.
struct Housed {
    bytes: Bytes,
    _taken: Taken,
}

impl Room {
    /// Room for so many bytes, at least for one.
    pub fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let units = units.max(1);
        Self {
            units,
            free: Arc::new(Semaphore::new(units as usize)),
        }
    }

    /// Waits until there is room for `bytes`.
    pub async fn take(&self, bytes: u64) -> Taken {
        let wanted = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        let free = Arc::clone(&self.free);
        Taken {
            // Never closed: there is always room to be had.
            _room: free.acquire_many_owned(wanted.min(self.units)).await.ok(),
        }
    }
}

impl Taken {
    /// Ties the room to the bytes that take it: it is free again when the last of their copies is dropped, wherever that is.
    pub fn with(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Housed {
            bytes,
            _taken: self,
        })
    }
}

impl AsRef<[u8]> for Housed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn waits(room: &Room, bytes: u64) -> bool {
        room.take(bytes).now_or_never().is_none()
    }

    #[test]
    fn room_is_free_again_when_the_last_copy_of_its_bytes_is_gone() {
        let room = Room::new(10 * UNIT);
        let taken = room.take(8 * UNIT).now_or_never().unwrap();
        assert!(waits(&room, 3 * UNIT) && !waits(&room, 2 * UNIT));
        let bytes = taken.with(Bytes::from_static(b"a chunk"));
        let copy = bytes.slice(2..);
        drop(bytes);
        assert!(waits(&room, 3 * UNIT));
        assert_eq!(copy, &b"chunk"[..]);
        drop(copy);
        assert!(!waits(&room, 10 * UNIT));
    }

    #[test]
    fn a_chunk_that_is_larger_than_the_room_passes_alone() {
        for room in [0, UNIT, u64::MAX] {
            let room = Room::new(room);
            let alone = room.take(u64::MAX).now_or_never().unwrap();
            assert!(waits(&room, 1));
            drop(alone);
            assert!(!waits(&room, 1));
        }
    }

    #[test]
    fn a_large_chunk_is_not_overtaken_for_ever() {
        let room = Room::new(10 * UNIT);
        let small = room.take(UNIT).now_or_never().unwrap();
        let mut large = Box::pin(room.take(10 * UNIT));
        assert!((&mut large).now_or_never().is_none());
        assert!(waits(&room, UNIT), "it would be served before its turn");
        drop(small);
        assert!(large.now_or_never().is_some());
    }
}
