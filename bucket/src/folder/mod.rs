//! The folder backend: an object is a file at its key's path, its metadata a hidden file beside it.
//!
//! ```text
//!   v1/demo/front/…/1763839803000-…-0000000007.mp4
//!   v1/demo/front/…/.1763839803000-…-0000000007.mp4.{SHA-256 of the bytes}.json
//! ```
//!
//! The steps of a put, and the leftovers of a crash after each:
//!
//! 1. folders, their names synced: empty folders.
//! 2. metadata, synced, then named: metadata of no object, used by the next attempt with the same
//!    bytes. Its name has the SHA-256, so that a second writer with *other* bytes, which will lose,
//!    cannot replace the winner's metadata.
//! 3. bytes, synced, then named, which is the commit: link(2) fails where the name is taken, so one
//!    writer wins.
//! 4. the folder, synced: both names survive a power cut. Only then the put answers, and the spool
//!    is freed.
//!
//! A power cut between 3 and 4 may take either name. If it took the object's, the next attempt
//! creates the object; if it took the metadata's, the next attempt finds its own bytes and adds
//! their metadata again.
//!
//! Unfinished files have no name at all where the kernel allows it ([`temp_file`]), so that a crash
//! leaves none behind.

mod files;
mod io_fault;
mod sidecar;
mod temp_file;

use std::{io, ops::Range, path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use crispy_checksum::Checksums;
use crispy_fault::Fault;

use crate::{Head, ListEntry, Lookup, Metadata, Put, backend::Backend};
use files::Files;

/// A folder as a bucket. Each operation is one blocking task, with any number of system calls.
#[derive(Debug)]
pub(super) struct Folder(Arc<Files>);

impl Folder {
    /// Opens the folder `root` of the bucket `url`, and creates it if it is missing.
    pub(super) fn open(root: &Path, url: &str) -> io::Result<Self> {
        Ok(Self(Arc::new(Files::open(root, url)?)))
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let files = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        done.unwrap_or_else(|error| Err(Fault::transient("use the disk").with_source(error)))
    }
}

#[async_trait]
impl Backend for Folder {
    async fn check_writable(&self, size: u64) -> Result<(), Fault> {
        self.blocking(move |files| files.check_writable(size)).await
    }

    async fn put_once(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: Checksums,
        metadata: Metadata,
    ) -> Result<Put, Fault> {
        let key = key.to_owned();
        self.blocking(move |files| files.put_once(&key, &bytes, &checksums, &metadata))
            .await
    }

    async fn lookup(&self, key: &str, size: u64, sha256: &[u8; 32]) -> Result<Lookup, Fault> {
        let (key, sha256) = (key.to_owned(), *sha256);
        self.blocking(move |files| files.lookup(&key, size, &sha256))
            .await
    }

    async fn head(&self, key: &str) -> Result<Head, Fault> {
        let key = key.to_owned();
        self.blocking(move |files| files.head(&key)).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Fault> {
        let key = key.to_owned();
        self.blocking(move |files| files.get_range(&key, range))
            .await
    }

    async fn list(&self, folder: &str) -> Result<Vec<ListEntry>, Fault> {
        let folder = folder.to_owned();
        self.blocking(move |files| files.list(&folder)).await
    }

    fn root(&self) -> Option<&Path> {
        Some(self.0.root())
    }
}
