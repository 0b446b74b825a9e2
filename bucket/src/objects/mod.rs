//! The object_store backend: memory, and every store that is reached over HTTP.
//!
//! A put is create-only, and an ambiguous answer is reconciled by a look-up:
//!
//! ```text
//!   put ── 200 ────────────────────────────────────────────► Stored
//!    ├── 403, 409, 412, 5xx, timeout ── look up ── mine ───► AlreadyMine (perhaps by this put)
//!    │                                     ├────── other ──► Foreign
//!    │                                     └────── none ───► the fault
//!    └── any other error ──────────────────────────────────► the fault
//! ```
//!
//! The look-up is not a retry: it sends no bytes, and decides what the put's fault means.
//!
//! Some stores ignore the condition of a put, among them emulators and old S3-likes.
//! [`Objects::check_writable`] detects that, and from then on a put is preceded by a look-up. That
//! leaves a gap between the two, in which a second writer is not noticed: use such a store for
//! tests only.

mod reading;

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use crispy_checksum::{Checksums, hex};
use crispy_fault::Fault;
use object_store::{
    Attribute, Attributes, Extensions, ObjectStore, PutMode, PutOptions, PutPayload, PutResult,
    UpdateVersion,
};
use url::Url;

use crate::{
    ForeignObject, Head, ListEntry, Lookup, Metadata, PROBE, Put,
    backend::Backend,
    location::Provider,
    metadata,
    remote::{Classification, Connection, GoogleCrc32c, Operation},
};

/// The largest body of a check, in bytes. A network that breaks only large requests (packets too
/// large for a tunnel, a proxy that gives up in mid-body) breaks less than this. It is sent within
/// the 2 s of a probe on the slowest supported line, even with round trips of a quarter of a
/// second. A larger one would turn a large chunk's problem into an outage for all.
const MAX_PROBE: u64 = 64 << 10;
/// A version that no object has ever had: Google's are microseconds since 1970.
const NO_GENERATION: &str = "1";
/// An etag that no object has: etags are hashes.
const NO_ETAG: &str = "\"crispy-probe\"";

/// Guarantee: two objects are called equal when their sizes and their SHA-256 are equal, by the
/// metadata that every put stores or, for an object of another writer without it, by its bytes;
/// and, where the store itself keeps a CRC32C, when that is the metadata's.
#[derive(Debug)]
pub(crate) struct Objects {
    connection: Connection,
}

#[async_trait]
impl Backend for Objects {
    async fn put_once(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: Checksums,
        metadata: Metadata,
    ) -> Result<Put, Fault> {
        let size = bytes.len() as u64;
        let reconcile = || self.reconcile(key, size, &checksums);
        if self.connection.ignores_preconditions()
            && let Some(put) = reconcile().await?
        {
            return Ok(put);
        }
        let fault = match self.create(key, bytes, &checksums, &metadata).await {
            Ok(result) => match self.verify_put(key, size, result, &checksums).await? {
                Some(put) => return Ok(put),
                None => Fault::transient("store reports other bytes than were sent"),
            },
            Err(Classification::Conflict(fault)) => {
                let found = reconcile().await?;
                return found.ok_or_else(|| fault.context("object disappeared after a conflict"));
            }
            Err(Classification::Forbidden(fault)) => {
                return reconcile().await.ok().flatten().ok_or(fault);
            }
            Err(classification) => classification.into_fault(),
        };
        if !fault.is_transient() {
            return Err(fault);
        }
        match reconcile().await {
            Ok(Some(put)) => Ok(put),
            // A broken connection concerns this object, unless the look-up cannot connect either.
            Err(outage) if outage.is_unavailable() => Err(outage),
            // The next attempt looks up again.
            Ok(None) | Err(_) => Err(fault),
        }
    }

    async fn lookup(&self, key: &str, size: u64, sha256: &[u8; 32]) -> Result<Lookup, Fault> {
        let (head, sum) = match self.head_and_sum(key).await {
            Err(fault) if fault.is_not_found() => return Ok(Lookup::Absent),
            head => head?,
        };
        let foreign = |sha256| {
            Ok(Lookup::Foreign(ForeignObject {
                size: head.size,
                sha256,
            }))
        };
        if head.size != size || !is_consistent(sum, &head.metadata) {
            return foreign(None);
        }
        let mine = Lookup::Mine {
            generation: head.generation,
        };
        match head.metadata.get(metadata::SHA256) {
            Some(found) if found == hex(sha256) => Ok(mine),
            Some(_) => foreign(None),
            None => {
                let whole = self.bytes(key, size, None).await;
                let found = Checksums::new(&whole.map_err(Classification::into_fault)?).sha256;
                if found == *sha256 {
                    Ok(mine)
                } else {
                    foreign(Some(found))
                }
            }
        }
    }

    /// Sends a put that must be refused, by the very route of puts: a writer without rights, bucket
    /// or connection gets a fault, and nothing is written. Then asks for an absent object: a reader
    /// without the right to list is refused, and could never learn that an object is absent. The
    /// put has a body of `size` bytes, [`MAX_PROBE`] at most.
    async fn check_writable(&self, size: u64) -> Result<(), Fault> {
        if self.connection.provider().is_none() {
            return Ok(());
        }
        let path = self.connection.path(PROBE)?;
        let size = size.min(MAX_PROBE);
        let body = Bytes::from(vec![0; size as usize]);
        let put = |store: Arc<dyn ObjectStore>| {
            let (path, body) = (path.clone(), body.clone());
            let mode = PutMode::Update(UpdateVersion {
                e_tag: Some(NO_ETAG.into()),
                version: Some(NO_GENERATION.into()),
            });
            let options = PutOptions {
                mode,
                ..PutOptions::default()
            };
            async move {
                store
                    .put_opts(&path, PutPayload::from_bytes(body), options)
                    .await
            }
        };
        let ignored = match self.connection.run(Operation::Put, size, put).await {
            Ok(_) => true,
            // The object is absent, or has another version.
            Err(Classification::Conflict(_)) => false,
            Err(Classification::Fault(fault)) if fault.is_not_found() => false,
            Err(classification) => return Err(classification.into_fault()),
        };
        self.connection.note_preconditions(ignored);
        match self.head(PROBE).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.is_not_found() => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    async fn head(&self, key: &str) -> Result<Head, Fault> {
        Ok(self.head_and_sum(key).await?.0)
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Fault> {
        self.read_range(key, range).await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ListEntry>, Fault> {
        self.list_folder(folder).await
    }

    fn link(&self, key: &str, generation: &str) -> Option<String> {
        self.connection.link(key, generation)
    }

    fn endpoint(&self) -> Option<&Url> {
        self.connection.endpoint()
    }
}

impl Objects {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    async fn create(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: &Checksums,
        metadata: &Metadata,
    ) -> Result<PutResult, Classification> {
        let path = self.connection.path(key).map_err(Classification::Fault)?;
        let mut extensions = Extensions::new();
        if self.connection.provider() == Some(Provider::Google) {
            extensions.insert(GoogleCrc32c(checksums.crc32c));
        }
        let options = PutOptions {
            mode: PutMode::Create,
            attributes: attributes(metadata),
            extensions,
            ..PutOptions::default()
        };
        let size = bytes.len() as u64;
        let put = |store: Arc<dyn ObjectStore>| {
            let payload = PutPayload::from_bytes(bytes.clone());
            let (path, options) = (path.clone(), options.clone());
            async move { store.put_opts(&path, payload, options).await }
        };
        self.connection.run(Operation::Put, size, put).await
    }

    /// The outcome of a successful put; `None` if the answer's own checksum is of other bytes.
    ///
    /// Some stores with Google's protocol answer without a generation, which a link needs. Then the
    /// object is looked up and must be ours, since such a store may have let another writer
    /// overwrite it.
    async fn verify_put(
        &self,
        key: &str,
        size: u64,
        result: PutResult,
        checksums: &Checksums,
    ) -> Result<Option<Put>, Fault> {
        let sum = result.extensions.get::<GoogleCrc32c>();
        if sum.is_some_and(|sum| sum.0 != checksums.crc32c) {
            return Ok(None);
        }
        if result.version.is_none() && self.connection.provider() == Some(Provider::Google) {
            return match self.reconcile(key, size, checksums).await? {
                Some(Put::AlreadyMine { generation }) => Ok(Some(Put::Stored { generation })),
                Some(other) => Ok(Some(other)),
                None => Err(Fault::transient(
                    "store does not have an object it accepted",
                )),
            };
        }
        let generation = result.version.unwrap_or_default();
        Ok(Some(Put::Stored { generation }))
    }

    /// The outcome of an ambiguous put, by a look-up; `None` if there is no object.
    async fn reconcile(
        &self,
        key: &str,
        size: u64,
        checksums: &Checksums,
    ) -> Result<Option<Put>, Fault> {
        Ok(match self.lookup(key, size, &checksums.sha256).await? {
            Lookup::Absent => None,
            Lookup::Mine { generation } => Some(Put::AlreadyMine { generation }),
            Lookup::Foreign(object) => Some(Put::Foreign(object)),
        })
    }
}

/// Compares the store's own checksum of an object with the one in its metadata.
fn is_consistent(sum: Option<GoogleCrc32c>, metadata: &Metadata) -> bool {
    match (sum, metadata.get(metadata::CRC32C)) {
        (Some(GoogleCrc32c(sum)), Some(stored)) => format!("{sum:08x}") == stored,
        _ => true,
    }
}

fn attributes(metadata: &Metadata) -> Attributes {
    let encoded = metadata.encoded();
    encoded
        .map(|(key, value)| {
            (
                Attribute::Metadata(key.to_owned().into()),
                value.into_owned(),
            )
        })
        .collect()
}
