//! The bytes of chunks, from the spools that this host can read.
//!
//! A descriptor names its spool by an id, never by a path: paths in messages are not followed. A
//! root is trusted only after its own `spool.id` file has proved its identity, so that an empty
//! mount point is not taken for a spool whose chunks are gone.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use crispy_fault::{DependencyId, Fault};
use crispy_proto::v1::ChunkReady;
use crispy_spool::{ReadError, SpoolReader};
use parking_lot::Mutex;

use crate::memory_budget::MemoryBudget;

/// The spools of the configured roots. A root may come and go; each is opened at its first use, and
/// again when its id changes.
#[derive(Clone)]
pub(crate) struct Spools {
    roots: Arc<[PathBuf]>,
    budget: MemoryBudget,
    open: Arc<Mutex<Vec<Arc<SpoolReader>>>>,
}

impl Spools {
    /// Spools at `roots`, which may be missing at first. Their bytes are reserved in `budget`.
    pub(crate) fn new(roots: &[PathBuf], budget: MemoryBudget) -> Self {
        Self {
            roots: roots.into(),
            budget,
            open: Arc::default(),
        }
    }

    /// The bytes of a chunk, checked against its size and SHA-256, once the budget has room for
    /// them.
    ///
    /// [`Kind::NotFound`](crispy_fault::Kind::NotFound): gone from a spool that proved its id.
    pub(crate) async fn fetch(&self, chunk: Arc<ChunkReady>) -> Result<Bytes, Fault> {
        let reservation = self.budget.reserve(chunk.size).await;
        let spools = self.clone();
        // The task owns the reservation: a cancelled fetch reads on, and keeps it until it ends.
        let reading =
            tokio::task::spawn_blocking(move || Ok(reservation.attach(spools.read(&chunk)?)));
        let read = reading.await;
        read.unwrap_or_else(|error| Err(Fault::transient("read spool").with_source(error)))
    }

    fn read(&self, chunk: &ChunkReady) -> Result<Bytes, Fault> {
        let spool = self.find(&chunk.spool_id)?;
        spool
            .read(chunk)
            .map_err(|error| fault(&chunk.spool_id, error))
    }

    fn find(&self, id: &str) -> Result<Arc<SpoolReader>, Fault> {
        let known = |open: &[Arc<SpoolReader>]| {
            open.iter()
                .find(|spool| spool.id().as_str() == id)
                .map(Arc::clone)
        };
        let mut open = self.open.lock();
        if let Some(spool) = known(&open) {
            return Ok(spool);
        }
        *open = self
            .roots
            .iter()
            .filter_map(|root| SpoolReader::open(root).ok())
            .map(Arc::new)
            .collect();
        known(&open).ok_or_else(|| {
            let doing = format!("no spool that this uploader can read has id {id:?}");
            Fault::unavailable_to_some(DependencyId::Spool(id.to_owned()), doing)
                .with_hint("give its folder with --spool, or mount it")
        })
    }
}

/// A second read of damaged bytes may succeed; otherwise the worker's limit ends the retries.
fn fault(spool: &str, error: ReadError) -> Fault {
    let doing = format!("read spool {spool:?}");
    let fault = match &error {
        ReadError::Gone { .. } => Fault::not_found(doing),
        ReadError::Id(_) | ReadError::Undescribed { .. } => Fault::rejected(doing),
        ReadError::Unproved { .. } | ReadError::Io { .. } => {
            Fault::unavailable_to_some(DependencyId::Spool(spool.to_owned()), doing)
        }
        _ => Fault::transient(doing),
    };
    fault.with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spool_error_has_its_kind() {
        let path = || PathBuf::from("/spool/x");
        let io = || std::io::Error::other("disk");
        let unproved = ReadError::Unproved {
            root: path(),
            source: io(),
        };
        let unreadable = ReadError::Io {
            path: path(),
            source: io(),
        };
        for (error, kind) in [
            (ReadError::Gone { path: path() }, "not_found"),
            (unproved, "unavailable"),
            (unreadable, "unavailable"),
            (ReadError::Damaged { path: path() }, "transient"),
        ] {
            let fault = fault("s", error);
            assert_eq!(fault.kind().as_str(), kind, "{fault:?}");
            assert!(fault.dependency().is_none_or(|spool| !spool.shared));
        }
    }
}
