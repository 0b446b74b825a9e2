//! Objects through object_store: in memory, and in every store that is reached over HTTP.
//!
//! A put is create-only, and whatever does not clearly say what came of it is settled by looking what lies there:
//!
//! ```text
//!   put ── 200 ───────────────────────────────────────────────────► Stored
//!    ├── 403, 409, 412, 5xx, no answer, reset ── look up ── mine ──► AlreadyMine (perhaps by this very put)
//!    │                                              ├────── other ─► Foreign
//!    │                                              └────── none ──► the error
//!    └── any other refusal ────────────────────────────────────────► the error
//! ```
//!
//! Stores are known that ignore the condition of a put, some emulators and old S3-likes among them. [`Objects::check_writable`] finds
//! that out, and from then on a put looks first. That leaves a gap between looking and putting, in which a second writer is not noticed:
//! use such a store for tests only.

mod reading;

use std::sync::Arc;

use bytes::Bytes;
use object_store::{
    Attribute, Attributes, Extensions, ObjectStore, PutMode, PutOptions, PutPayload, PutResult,
    UpdateVersion,
};
use url::Url;

use super::{
    Found, Lookup, Metadata, PROBE, Put,
    fault::Fault,
    location::Kind,
    metadata,
    remote::{Connection, Deed, GoogleCrc32c, Verdict},
};
use crispy_checksum::{Checksums, hex};

/// The most that a check sends, in bytes. What kills large requests and lets small ones pass (packets that are too large for a tunnel, a proxy
/// that gives up in mid-body) does so to less than this; and it is gone within the 2 s of a probe on the slowest line that is worth it, also where
/// every round trip takes a quarter of a second. More would make a large chunk's trouble that of all.
const MOST_OF_A_PROBE: u64 = 64 << 10;
/// A version that no object has ever had: Google's are microseconds since 1970.
const NO_GENERATION: &str = "1";
/// Nor this one: an etag is a hash of some kind.
const NO_ETAG: &str = "\"crispy-probe\"";

/// Guarantee: two objects are called equal when their sizes are, and their SHA-256, by the metadata that every put stores or, where
/// somebody else wrote the object without, by its bytes; and, where the store itself keeps a CRC32C, when that is the metadata's.
#[derive(Debug)]
pub(crate) struct Objects {
    connection: Connection,
}

impl Objects {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Where the store listens; none where it is memory.
    pub(crate) fn endpoint(&self) -> Option<&Url> {
        self.connection.endpoint()
    }

    pub(crate) async fn put_once(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: &Checksums,
        metadata: &Metadata,
    ) -> Result<Put, Fault> {
        let size = bytes.len() as u64;
        if self.connection.known.ignores_conditions()
            && let Some(put) = self.settled(key, size, checksums).await?
        {
            return Ok(put);
        }
        let doubt = match self.create(key, bytes, checksums, metadata).await {
            Ok(result) => match self.proved(key, size, result, checksums).await? {
                Some(put) => return Ok(put),
                None => Fault::transient("the store says that it has other bytes than were sent"),
            },
            Err(Verdict::Conflict(words)) => {
                let settled = self.settled(key, size, checksums).await?;
                return settled.ok_or_else(|| {
                    Fault::transient(format!("{words}; and then it was gone again"))
                });
            }
            Err(Verdict::Forbidden(fault)) => {
                let settled = self.settled(key, size, checksums).await;
                return settled.ok().flatten().ok_or(fault);
            }
            Err(verdict) => verdict.into_fault(),
        };
        match doubt {
            Fault::Transient(..) => match self.settled(key, size, checksums).await {
                Ok(Some(put)) => Ok(put),
                // A connection that broke is trouble of this object's, until there is no other to be had.
                Err(outage @ Fault::Unavailable(..)) => Err(outage),
                // What could not be asked now is asked by the next attempt.
                Ok(None) | Err(_) => Err(doubt),
            },
            fault => Err(fault),
        }
    }

    async fn create(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: &Checksums,
        metadata: &Metadata,
    ) -> Result<PutResult, Verdict> {
        let path = self.connection.path(key).map_err(Verdict::Fault)?;
        let mut extensions = Extensions::new();
        if self.connection.kind() == Some(Kind::Google) {
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
        self.connection.ask(Deed::Put, size, put).await
    }

    /// What was stored; none where the answer's own checksum is of other bytes. Some of those who speak as Google does answer without a
    /// generation, and a link needs it: then what lies there must be ours, too, since such a store may have let somebody else overwrite it.
    async fn proved(
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
        if result.version.is_none() && self.connection.kind() == Some(Kind::Google) {
            return match self.settled(key, size, checksums).await? {
                Some(Put::AlreadyMine { generation }) => Ok(Some(Put::Stored { generation })),
                Some(other) => Ok(Some(other)),
                None => Err(Fault::transient(
                    "the store says that it has it, and then that it has not",
                )),
            };
        }
        let generation = result.version.unwrap_or_default();
        Ok(Some(Put::Stored { generation }))
    }

    async fn settled(
        &self,
        key: &str,
        size: u64,
        checksums: &Checksums,
    ) -> Result<Option<Put>, Fault> {
        Ok(match self.lookup(key, size, &checksums.sha256).await? {
            Lookup::Absent => None,
            Lookup::Mine { generation } => Some(Put::AlreadyMine { generation }),
            Lookup::Foreign(found) => Some(Put::Foreign(found)),
        })
    }

    pub(crate) async fn lookup(
        &self,
        key: &str,
        size: u64,
        sha256: &[u8; 32],
    ) -> Result<Lookup, Fault> {
        let (head, sum) = match self.head_and_sum(key).await {
            Err(Fault::Absent) => return Ok(Lookup::Absent),
            head => head?,
        };
        let foreign = |sha256| {
            Ok(Lookup::Foreign(Found {
                size: head.size,
                sha256,
            }))
        };
        if head.size != size || !agrees(sum, &head.metadata) {
            return foreign(None);
        }
        let (wanted, mine) = (
            hex(sha256),
            Lookup::Mine {
                generation: head.generation,
            },
        );
        match head.metadata.get(metadata::SHA256) {
            Some(found) if found == wanted => Ok(mine),
            Some(_) => foreign(None),
            None => {
                let whole = self
                    .bytes(key, size, None)
                    .await
                    .map_err(Verdict::into_fault)?;
                let found = Checksums::new(&whole).sha256;
                if found == *sha256 {
                    Ok(mine)
                } else {
                    foreign(Some(found))
                }
            }
        }
    }

    /// Asks for a put that must be refused, over the very way that puts go: who may not write, or has no bucket, or no connection, hears of
    /// it, and nothing is written. Then asks for an object that is not there: who may not list is told that it is forbidden, and
    /// could never learn that an object is absent. The put has a body of `size` bytes, [`MOST_OF_A_PROBE`] at most.
    pub(crate) async fn check_writable(&self, size: u64) -> Result<(), Fault> {
        if self.connection.kind().is_none() {
            return Ok(());
        }
        let path = self.connection.path(PROBE)?;
        let size = size.min(MOST_OF_A_PROBE);
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
        let ignored = match self.connection.ask(Deed::Put, size, put).await {
            Ok(_) => true,
            // There is no such object, or it has another version.
            Err(Verdict::Conflict(_) | Verdict::Fault(Fault::Absent)) => false,
            Err(verdict) => return Err(verdict.into_fault()),
        };
        self.connection.known.note_conditions(ignored);
        self.check_readable().await
    }

    pub(crate) async fn check_readable(&self) -> Result<(), Fault> {
        match self.head(PROBE).await {
            Ok(_) | Err(Fault::Absent) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    pub(crate) fn link(&self, key: &str, generation: &str) -> Option<String> {
        self.connection.link(key, generation)
    }
}

/// What the store computed of the bytes that it has, against what was stored with them.
fn agrees(sum: Option<GoogleCrc32c>, metadata: &Metadata) -> bool {
    match (sum, metadata.get(metadata::CRC32C)) {
        (Some(GoogleCrc32c(sum)), Some(told)) => format!("{sum:08x}") == told,
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
