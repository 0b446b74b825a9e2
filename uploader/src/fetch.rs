//! The bytes of chunks, from the spools that this host can read.
//!
//! A descriptor names its spool by an id, never by a path: paths in messages are not followed. A
//! root is trusted only after its own `spool.id` file has proved its identity, so that an empty
//! mount point is not taken for a spool whose chunks are gone.

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use crispy_fault::{DependencyId, Fault, Kind};
use crispy_proto::v1::ChunkReady;
use crispy_spool::SpoolReader;
use parking_lot::Mutex;

use crate::memory_budget::MemoryBudget;

/// The spools of the configured roots. A root may come and go; each is opened at its first use, and
/// again when its id changes.
#[derive(Clone)]
pub(crate) struct SpoolReaders {
    roots: Arc<[PathBuf]>,
    budget: MemoryBudget,
    open: Arc<Mutex<Vec<Arc<SpoolReader>>>>,
}

impl SpoolReaders {
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
            .map_err(|fault| in_context(&chunk.spool_id, fault))
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

/// Adds the spool's id. A second read of damaged bytes may succeed, so they are a transient
/// failure, and the worker's limit ends the retries.
fn in_context(spool: &str, fault: Fault) -> Fault {
    let doing = format!("read spool {spool:?}");
    match fault.kind() {
        Kind::Corrupt => fault.into_transient().context(doing),
        _ => fault.context(doing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spool_error_has_its_kind() {
        let spool = DependencyId::Spool("s".to_owned());
        for (fault, kind) in [
            (Fault::not_found("gone"), "not_found"),
            (Fault::rejected("no id"), "rejected"),
            (
                Fault::unavailable_to_some(spool, "read /spool/x"),
                "unavailable",
            ),
            (Fault::corrupt("damaged"), "transient"),
        ] {
            let fault = in_context("s", fault);
            assert_eq!(fault.kind().as_str(), kind, "{fault:?}");
            assert!(fault.dependency().is_none_or(|spool| !spool.shared));
        }
    }
}
