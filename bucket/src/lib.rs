//! Buckets: objects that are created once and never overwritten.
//!
//! ```text
//!                  Bucket            checks keys and ranges, adds the object's URL to faults
//!                    │
//!                 Backend
//!        ┌───────────┴───────────┐
//!     Folder                  Objects
//!   file:///folder      memory://, or gs:// s3:// az:// over HTTP (remote)
//! ```
//!
//! [`Bucket::put_once`] creates and never overwrites, so a chunk may be sent any number of times by
//! any number of uploaders. A later put learns whether the object is the same chunk
//! ([`Put::AlreadyMine`]) or other content ([`Put::Foreign`]).
//!
//! Nothing is retried here, because hidden retries would hide an outage: the caller has the one
//! retry policy. Two second requests are no retries of policy: the look-up after an ambiguous
//! answer to a put (`objects`), and the repetition with a fresh token (`remote::connection`).
//!
//! Folders are this crate's own, since object_store's keep no metadata. All backends pass one
//! conformance suite, `tests/conformance.rs`.
#![warn(missing_docs)]

mod backend;
mod error;
mod folder;
mod key;
mod location;
mod metadata;
mod object;
mod objects;
mod options;
pub mod range_reader;
mod redact;
mod remote;
mod request_log;
mod span;

use std::{ops::Range, path::Path, sync::Arc};

use bytes::Bytes;
use crispy_checksum::Checksums;
use crispy_fault::{Dependency, DependencyId, Fault, Kind};

use backend::Backend;
pub use error::OpenError;
use folder::Folder;
use location::Location;
pub use metadata::Metadata;
pub use object::{ForeignObject, Head, ListEntry, Lookup, Put};
use objects::Objects;
pub use options::BucketOptions;
pub use range_reader::RangeReader;
use remote::Connection;

/// Key used by health checks. Only a store that ignores preconditions ever creates it.
const PROBE: &str = ".crispy-probe";

/// A store of objects, named by a URL.
///
/// Guarantees:
/// * An object is whole or absent.
/// * Once [`put_once`](Bucket::put_once) has answered, the object is as safe as its store makes it
///   (a folder: synced, with its name and its metadata).
/// * No operation changes an existing object.
/// * No output of this type contains a password.
///
/// Every failure is a [`Fault`], whose kind decides what a caller does next:
///
/// * `Unavailable`: the bucket is missing, full, read-only, unreachable or forbidden. Wait until
///   [`check_writable`](Bucket::check_writable) or [`check_readable`](Bucket::check_readable)
///   succeeds.
/// * `Transient`: a server error, a timeout or a broken connection, of the bucket or of this object
///   only. Check the bucket, then try again: the next put finds one that succeeded after all.
/// * `Corrupt`: a put's bytes arrived without their checksum. Read them again from their origin,
///   and send them again.
/// * `Rejected`: a key, range, size or metadata that is not allowed. Give up.
/// * `NotFound`: an absent object, never by a put or a look-up.
///
/// Clones are the same bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    url: Arc<str>,
    backend: Arc<dyn Backend>,
}

impl Bucket {
    /// Opens a bucket as [`Bucket::open_with`] does, with the environment and no options.
    pub fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_with(url, &BucketOptions::from_environment())
    }

    /// Opens a bucket by its URL:
    ///
    /// * `file:///path/of/folder`, created if it is missing
    /// * `memory://`, new and empty, for tests
    /// * `gs://bucket`, `s3://bucket` and `az://container`, each with or without `/a/prefix` of all
    ///   keys. No request is sent: [`Bucket::check_writable`] proves existence and rights.
    pub fn open_with(url: &str, options: &BucketOptions) -> Result<Self, OpenError> {
        let (location, url) = location::parse(url)?;
        let provider = match &location {
            Location::Remote(remote) => Some(remote.provider),
            _ => None,
        };
        let refused = |why: String| OpenError::Options {
            url: url.clone(),
            why,
        };
        options
            .check(provider)
            .map_err(|fault| refused(fault.to_string()))?;
        let backend: Arc<dyn Backend> = match location {
            Location::Memory => Arc::new(Objects::new(Connection::memory())),
            Location::Remote(remote) => {
                let connection = Connection::open(&remote, &url, options).map_err(refused)?;
                Arc::new(Objects::new(connection))
            }
            Location::Folder(root) => match Folder::open(&root, &url) {
                Ok(folder) => Arc::new(folder),
                Err(source) => return Err(OpenError::NotWritable { url, source }),
            },
        };
        Ok(Self {
            url: url.into(),
            backend,
        })
    }

    /// Its URL, without credentials and without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The root of a folder bucket: an object's file is this path and its key. `None` for every
    /// other kind.
    pub fn folder(&self) -> Option<&Path> {
        self.backend.root()
    }

    /// Checks that objects can be created and found, without leaving one.
    ///
    /// * A folder: an object of `size` bytes is written by the very steps of a put, and removed. On
    ///   a disk that is almost full a small object fits where a large one does not.
    /// * A store: the check asks it to replace an absent object, which it refuses to every writer,
    ///   after a look at their rights. Then it asks for an absent object, which it calls absent to
    ///   every reader with the right to list. This proves endpoint, bucket, credentials and rights.
    ///   It does not prove free space: stores have no limit, or report it only at a put. The
    ///   request has a body of `size` bytes, 64 KiB at most. A network that breaks only larger
    ///   requests is noticed by those.
    pub async fn check_writable(&self, size: u64) -> Result<(), Fault> {
        let checked = self.backend.check_writable(size).await;
        checked.map_err(|fault| self.write_fault(format!("check bucket {}", self.url), fault))
    }

    /// Checks that objects can be found: asks for an absent one, which a store calls absent to
    /// every reader with the right to list.
    pub async fn check_readable(&self) -> Result<(), Fault> {
        match self.backend.head(PROBE).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.is_not_found() => Ok(()),
            Err(fault) => Err(read_fault(format!("check bucket {}", self.url), fault)),
        }
    }

    /// Creates an object, never overwriting one.
    ///
    /// `checksums` must be those of `bytes`: they are stored as `crc32c` and `sha256` beside
    /// `metadata`, and decide which bytes are the same chunk. They are not computed again, because
    /// the reader of a spool has just verified them.
    pub async fn put_once(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: &Checksums,
        metadata: &Metadata,
    ) -> Result<Put, Fault> {
        let metadata = metadata.with(checksums);
        let put = async {
            key::check(key)?;
            let backend = &self.backend;
            backend.put_once(key, bytes, *checksums, metadata).await
        };
        put.await
            .map_err(|fault| self.write_fault(format!("put {}", self.object(key)), fault))
    }

    /// Looks up whether an object exists and has these bytes. Never [`Kind::NotFound`].
    pub async fn lookup(&self, key: &str, size: u64, sha256: &[u8; 32]) -> Result<Lookup, Fault> {
        let lookup = async {
            key::check(key)?;
            self.backend.lookup(key, size, sha256).await
        };
        lookup
            .await
            .map_err(|fault| read_fault(format!("look up {}", self.object(key)), fault))
    }

    /// Size and metadata of an object.
    pub async fn head(&self, key: &str) -> Result<Head, Fault> {
        let head = async {
            key::check(key)?;
            self.backend.head(key).await
        };
        head.await
            .map_err(|fault| read_fault(format!("head {}", self.object(key)), fault))
    }

    /// Bytes of an object: of `range`, as far as the object reaches. A range that starts at or
    /// beyond its end is [`Kind::Rejected`]. An empty range sends no request.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Fault> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let get = async {
            key::check(key)?;
            self.backend.get_range(key, range).await
        };
        get.await
            .map_err(|fault| read_fault(format!("get {}", self.object(key)), fault))
    }

    /// Objects below a folder of keys such as `v1/site/camera/2026/11/22`, in the order of keys;
    /// below the empty one, all of them.
    ///
    /// The answer is held in memory: ask for an hour or a day of a camera, not for a year.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ListEntry>, Fault> {
        let list = async {
            let mut entries = self.backend.list(key::folder(prefix)?).await?;
            entries.sort_unstable();
            Ok(entries)
        };
        list.await
            .map_err(|fault| read_fault(format!("list {}", self.object(prefix)), fault))
    }

    /// A URL of the object's bytes, of this generation where the store has generations. It is no
    /// signed URL: its reader needs the right to read.
    pub fn media_link(&self, key: &str, generation: &str) -> String {
        let link = self.backend.link(key, generation);
        // Neither folders nor memory have generations, and keys need no escaping.
        link.unwrap_or_else(|| self.object(key))
    }

    fn object(&self, key: &str) -> String {
        format!("{}/{key}", self.url)
    }

    /// A put finds no object missing: a store that reports one is missing its bucket.
    fn write_fault(&self, doing: String, fault: Fault) -> Fault {
        let fault = match fault.kind() {
            Kind::NotFound => fault.into_outage(DependencyId::Bucket(self.url.to_string())),
            _ => fault,
        };
        fault.context(doing)
    }
}

/// A read sends no bytes: bytes that were damaged on their way here may be whole the next time.
fn read_fault(doing: String, fault: Fault) -> Fault {
    let fault = match fault.kind() {
        Kind::Corrupt => fault.into_transient(),
        _ => fault,
    };
    fault.context(doing)
}

/// The kind of every outage of a bucket. All messages need it.
fn unavailable(url: &str) -> Kind {
    Kind::Unavailable(Dependency {
        id: DependencyId::Bucket(url.to_owned()),
        shared: true,
        retry_after: None,
    })
}
