//! The attempts to put one object into the bucket.
//!
//! ```text
//!   delivered before? ── look up ── exists: ours ──────────────────────────────┐
//!       │ no               │ absent                                            │
//!       └── fetch, check ──┴── put ── stored, or exists: ours ─────────────────┴──► object
//!             │ gone: look up   ├── failed: pause and retry, three times
//!                               │   (corrupt: fetch again first)
//!                               └── still fails: probe the bucket
//!                                     ├─ healthy: this object's own failure (counted)
//!                                     └─ not: an outage (not counted)
//! ```

use std::{error::Error, sync::Arc};

use bytes::Bytes;
use crispy_bucket::{Lookup, Metadata, Put};
use crispy_checksum::Checksums;
use crispy_fault::{Fault, chain};
use crispy_proto::v1::ChunkReady;
use tokio::time::sleep;
use tracing::debug;

use crate::{
    fetch::SpoolReaders,
    metrics,
    monitored_bucket::MonitoredBucket,
    retry::{self, Step, UploadDecision},
};

/// The source of an object's bytes.
pub(crate) enum ByteSource {
    Spool(Arc<ChunkReady>),
    Memory(Bytes),
}

/// An object to be stored.
pub(crate) struct UploadAttempts<'a> {
    pub(crate) bucket: &'a MonitoredBucket,
    pub(crate) spools: &'a SpoolReaders,
    pub(crate) key: &'a str,
    pub(crate) size: u64,
    pub(crate) checksums: Checksums,
    pub(crate) metadata: Metadata,
    pub(crate) source: ByteSource,
    /// It may exist already: the bucket is asked before anything is fetched.
    pub(crate) look_up_first: bool,
}

/// A stored object.
pub(crate) struct StoredObject {
    /// The store's own version of it; empty where the store has none.
    pub(crate) generation: String,
    /// An earlier attempt, or another uploader, stored it.
    pub(crate) already_there: bool,
}

/// The state between attempts.
#[derive(Default)]
struct Progress {
    /// The fetched bytes.
    bytes: Option<Bytes>,
    look_ups: u32,
    puts: u32,
    /// The latest step.
    step: Step,
}

impl UploadAttempts<'_> {
    /// Stores the object.
    pub(crate) async fn run(mut self) -> Result<StoredObject, Fault> {
        let mut progress = Progress::default();
        let mut failures = 0;
        loop {
            let fault = match self.attempt(&mut progress).await {
                Ok(object) => return Ok(object),
                Err(fault) => fault,
            };
            failures += 1;
            match retry::decide(progress.step, fault.kind(), failures, rand::random()) {
                UploadDecision::GiveUp => return Err(fault),
                UploadDecision::Probe => return Err(self.outage_or_own_failure(fault).await),
                UploadDecision::Retry { pause, refetch } => {
                    debug!(
                        object = self.key,
                        attempt = failures,
                        ?pause,
                        refetch,
                        error = &fault as &dyn Error,
                        "retrying upload"
                    );
                    metrics::retried(progress.step, fault.kind());
                    if refetch {
                        progress.bytes = None;
                    }
                    sleep(pause).await;
                }
            }
        }
    }

    /// Decides by a probe whether a failure is an outage of the bucket or this object's own.
    async fn outage_or_own_failure(&self, fault: Fault) -> Fault {
        match self.bucket.probe(self.size).await {
            Ok(()) => fault.into_transient(),
            Err(outage) => outage.context(format!("after failed attempts ({})", chain(&fault))),
        }
    }

    async fn attempt(&mut self, progress: &mut Progress) -> Result<StoredObject, Fault> {
        if self.look_up_first {
            if let Some(object) = self.look_up(progress).await? {
                return Ok(object);
            }
            self.look_up_first = false;
        }
        let bytes = match &progress.bytes {
            Some(bytes) => bytes.clone(),
            None => {
                progress.step = Step::Fetch;
                match self.fetch().await {
                    Ok(bytes) => progress.bytes.insert(bytes).clone(),
                    // The ingestor may have freed it after an upload: look it up in the bucket
                    // before calling it lost.
                    Err(gone) if gone.is_not_found() => {
                        return self.look_up(progress).await?.ok_or(gone);
                    }
                    Err(fault) => return Err(fault),
                }
            }
        };
        progress.step = Step::Put;
        let put = self.bucket.put(
            self.key,
            bytes,
            &self.checksums,
            &self.metadata,
            progress.puts,
        );
        progress.puts += 1;
        match put.await? {
            Put::Stored { generation } => Ok(StoredObject {
                generation,
                already_there: false,
            }),
            Put::AlreadyMine { generation } => Ok(StoredObject {
                generation,
                already_there: true,
            }),
            Put::Foreign(_) => Err(self.foreign()),
        }
    }

    async fn look_up(&self, progress: &mut Progress) -> Result<Option<StoredObject>, Fault> {
        progress.step = Step::LookUp;
        let sha256 = &self.checksums.sha256;
        let lookup = self
            .bucket
            .look_up(self.key, self.size, sha256, progress.look_ups);
        progress.look_ups += 1;
        match lookup.await? {
            Lookup::Absent => Ok(None),
            Lookup::Mine { generation } => Ok(Some(StoredObject {
                generation,
                already_there: true,
            })),
            Lookup::Foreign(_) => Err(self.foreign()),
        }
    }

    async fn fetch(&self) -> Result<Bytes, Fault> {
        match &self.source {
            ByteSource::Spool(chunk) => self.spools.fetch(Arc::clone(chunk)).await,
            ByteSource::Memory(bytes) => Ok(bytes.clone()),
        }
    }

    fn foreign(&self) -> Fault {
        let key = self.key;
        Fault::conflict(format!("object {key} exists with other bytes"))
            .with_hint("find the writer of this key: its object is never overwritten")
    }
}
