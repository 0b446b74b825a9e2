//! The bucket: where chunks end up, each written once.
//!
//! ```text
//!                      Bucket                one door: keys, metadata and ranges are checked here, errors get their coordinates here
//!           ┌────────────┴───────────┐
//!        Folder                   Objects
//!   file:///some/folder     memory://          gs:// s3:// az://, over HTTP (remote)
//! ```
//!
//! [`Bucket::put_once`] creates and never overwrites, so that it does not matter how often a chunk is sent, or by how many: whoever
//! comes second is told whether what lies there is the same chunk ([`Put::AlreadyMine`]) or something else ([`Put::Foreign`]).
//! Nothing is retried here: the caller has a policy, and hidden retries would hide an outage.
//!
//! Folders are this crate's own work, since object_store's keep no metadata; the rest is object_store with checks around it. All of
//! them pass one conformance suite, `tests/conformance.rs`.

mod asked;
mod error;
mod fault;
mod folder;
mod key;
mod location;
mod metadata;
mod objects;
mod options;
pub mod range_reader;
mod remote;
mod span;

use std::{ops::Range, path::Path, sync::Arc};

use bytes::Bytes;

pub use error::{GetError, MAX_RETRY_AFTER, OpenError, PutError};
pub use fault::Cause;
pub use metadata::{Metadata, MetadataError};
pub use options::{BucketOptions, OptionError};
pub use range_reader::RangeReader;

pub(crate) use asked::Asked;
use crispy_checksum::Checksums;
use fault::Fault;
use folder::Folder;
use location::Location;
use objects::Objects;
use remote::Connection;

/// The object that a check asks for. It is never written, but by a store that ignores conditions, where it stays.
const PROBE: &str = ".crispy-probe";

/// What a put did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// This put made the object.
    Stored {
        /// The store's own version of it; empty where the store has none.
        generation: String,
    },
    /// The object was there, with these very bytes: an earlier attempt made it.
    AlreadyMine {
        /// As above.
        generation: String,
    },
    /// Other bytes lie under this key. They were not touched.
    Foreign(Found),
}

/// What lies under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing.
    Absent,
    /// The bytes that were asked for.
    Mine {
        /// The store's own version of the object; empty where the store has none.
        generation: String,
    },
    /// Other bytes.
    Foreign(Found),
}

/// Bytes that are not the ones that were expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How many there are.
    pub size: u64,
    /// Their SHA-256, where it was needed to tell them apart.
    pub sha256: Option<[u8; 32]>,
}

/// An object without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the object.
    pub size: u64,
    /// The store's own version of it; empty where the store has none.
    pub generation: String,
    /// What was stored with it, `crc32c` and `sha256` included.
    pub metadata: Metadata,
}

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The object's key.
    pub key: String,
    /// Bytes of the object.
    pub size: u64,
}

/// A place for objects, named by a URL.
///
/// Guarantees: an object is whole or not there; once [`put_once`](Bucket::put_once) has answered, it is safe in whatever way the store
/// makes things safe (a folder: synced, with its name and its metadata); no operation changes an object that is there; and nothing
/// this type shows or returns contains a password. Clones are the same bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    url: Arc<str>,
    store: Store,
}

#[derive(Clone, Debug)]
enum Store {
    Folder(Arc<Folder>),
    Objects(Arc<Objects>),
}

impl Bucket {
    /// Opens a bucket as [`Bucket::open_with`] does, with what the environment says and no options.
    pub fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_with(url, &BucketOptions::of_environment())
    }

    /// Opens a bucket: `file:///path/of/folder`, made where there is none; `memory://`, new and empty, for tests; or `gs://bucket`,
    /// `s3://bucket` and `az://container`, each with or without `/a/prefix` of all its keys, which are not asked anything yet: whether they
    /// are there, and ours to write, [`Bucket::check_writable`] finds out.
    pub fn open_with(url: &str, options: &BucketOptions) -> Result<Self, OpenError> {
        let (location, url) = location::parse(url)?;
        let kind = match &location {
            Location::Remote(place) => Some(place.kind),
            _ => None,
        };
        let refused = |why: String| OpenError::Options {
            url: url.clone(),
            why,
        };
        options
            .check(kind)
            .map_err(|error| refused(error.to_string()))?;
        let objects = |connection| Store::Objects(Arc::new(Objects::new(connection)));
        let store = match location {
            Location::Memory => {
                objects(Connection::memory().map_err(|error| refused(error.to_string()))?)
            }
            Location::Remote(place) => objects(Connection::open(&place, options).map_err(refused)?),
            Location::Folder(root) => match Folder::open(&root) {
                Ok(folder) => Store::Folder(Arc::new(folder)),
                Err(source) => return Err(OpenError::NotWritable { url, source }),
            },
        };
        Ok(Self {
            url: url.into(),
            store,
        })
    }

    /// Its URL, without credentials and without a slash at its end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where a folder bucket keeps its objects: an object's file is this path and its key. `None` for every other kind.
    pub fn folder(&self) -> Option<&Path> {
        match &self.store {
            Store::Folder(folder) => Some(folder.root()),
            Store::Objects(_) => None,
        }
    }

    /// Checks that objects can be created and found here, without leaving one.
    ///
    /// * A folder: an object of `size` bytes is written by the very steps of a put, and removed: on a disk that is almost full a small one
    ///   can be, and a large one cannot.
    /// * A store: it is asked to replace an object that is not there, which it refuses to everybody who may write, after it has
    ///   looked at their rights; then to show one, which it calls absent to everybody who may read and list. That proves endpoint, bucket,
    ///   credentials and rights. It does not prove that there is room: stores have no limit, or tell it at the put itself. It sends `size`
    ///   bytes, but 64 KiB at most: what passes small requests and kills large ones is found out by them.
    pub async fn check_writable(&self, size: u64) -> Result<(), PutError> {
        let checked = match &self.store {
            Store::Folder(folder) => {
                blocking(folder, move |folder| folder.check_writable(size)).await
            }
            Store::Objects(objects) => objects.check_writable(size).await,
        };
        checked.map_err(|fault| PutError::new(self.url.to_string(), fault))
    }

    /// Checks that objects can be found here: asks for one that is not there, which a store calls absent to everybody who may read and list.
    pub async fn check_readable(&self) -> Result<(), GetError> {
        let checked = match &self.store {
            Store::Folder(folder) => match blocking(folder, |folder| folder.head(PROBE)).await {
                Ok(_) | Err(Fault::Absent) => Ok(()),
                Err(fault) => Err(fault),
            },
            Store::Objects(objects) => objects.check_readable().await,
        };
        checked.map_err(|fault| GetError::new(self.url.to_string(), fault))
    }

    /// Creates an object, never overwriting one.
    ///
    /// `checksums` must be those of `bytes`: they are stored as `crc32c` and `sha256` beside `metadata`, and decide what is the same
    /// chunk. They are not taken again: whoever has just read the bytes from a spool has just checked them.
    pub async fn put_once(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: &Checksums,
        metadata: &Metadata,
    ) -> Result<Put, PutError> {
        let (checksums, metadata) = (*checksums, metadata.with(checksums));
        let put = async {
            key::check(key).map_err(Fault::invalid)?;
            match &self.store {
                Store::Folder(folder) => {
                    let key = key.to_owned();
                    blocking(folder, move |folder| {
                        folder.put_once(&key, &bytes, &checksums, &metadata)
                    })
                    .await
                }
                Store::Objects(objects) => {
                    objects.put_once(key, bytes, &checksums, &metadata).await
                }
            }
        };
        put.await
            .map_err(|fault| PutError::new(self.object(key), fault))
    }

    /// Asks whether an object is there and has these bytes. Never [`GetError::Absent`].
    pub async fn lookup(
        &self,
        key: &str,
        size: u64,
        sha256: &[u8; 32],
    ) -> Result<Lookup, GetError> {
        let lookup = async {
            key::check(key).map_err(Fault::invalid)?;
            match &self.store {
                Store::Folder(folder) => {
                    let (key, sha256) = (key.to_owned(), *sha256);
                    blocking(folder, move |folder| folder.lookup(&key, size, &sha256)).await
                }
                Store::Objects(objects) => objects.lookup(key, size, sha256).await,
            }
        };
        lookup
            .await
            .map_err(|fault| GetError::new(self.object(key), fault))
    }

    /// Size and metadata of an object.
    pub async fn head(&self, key: &str) -> Result<Head, GetError> {
        let head = async {
            key::check(key).map_err(Fault::invalid)?;
            match &self.store {
                Store::Folder(folder) => {
                    let key = key.to_owned();
                    blocking(folder, move |folder| folder.head(&key)).await
                }
                Store::Objects(objects) => objects.head(key).await,
            }
        };
        head.await
            .map_err(|fault| GetError::new(self.object(key), fault))
    }

    /// Bytes of an object: of `range`, as far as the object reaches. A range that starts at or beyond its end is
    /// [`GetError::Invalid`]; an empty one is answered without asking the store.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, GetError> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let get = async {
            key::check(key).map_err(Fault::invalid)?;
            match &self.store {
                Store::Folder(folder) => {
                    let key = key.to_owned();
                    blocking(folder, move |folder| folder.get_range(&key, range)).await
                }
                Store::Objects(objects) => objects.get_range(key, range).await,
            }
        };
        get.await
            .map_err(|fault| GetError::new(self.object(key), fault))
    }

    /// Objects below a folder of keys such as `v1/site/camera/2026/11/22`, in the order of keys; below the empty one, all of them.
    ///
    /// The answer is held in memory: ask for an hour or a day of a camera, not for a year.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>, GetError> {
        let list = async {
            let prefix = key::folder(prefix).map_err(Fault::invalid)?;
            let mut listed = match &self.store {
                Store::Folder(folder) => {
                    let prefix = prefix.to_owned();
                    blocking(folder, move |folder| folder.list(&prefix)).await?
                }
                Store::Objects(objects) => objects.list(prefix).await?,
            };
            listed.sort_unstable();
            Ok(listed)
        };
        list.await
            .map_err(|fault| GetError::new(self.object(prefix), fault))
    }

    /// A URL of the object's bytes, of this generation where the store has generations.
    ///
    /// Whoever follows it needs the right to read: it is no signed URL.
    pub fn media_link(&self, key: &str, generation: &str) -> String {
        let link = match &self.store {
            Store::Folder(_) => None,
            Store::Objects(objects) => objects.link(key, generation),
        };
        // Neither folders nor memory have generations, and the characters of keys need no escaping.
        link.unwrap_or_else(|| self.object(key))
    }

    fn object(&self, key: &str) -> String {
        format!("{}/{key}", self.url)
    }
}

/// One hop to a thread that may wait for the disk, however many calls the work takes.
async fn blocking<T: Send + 'static>(
    folder: &Arc<Folder>,
    work: impl FnOnce(&Folder) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let folder = Arc::clone(folder);
    let done = tokio::task::spawn_blocking(move || work(&folder)).await;
    done.unwrap_or_else(|error| Err(Fault::transient(error)))
}
