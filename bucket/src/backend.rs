//! The interface of folders and object stores to [`Bucket`](crate::Bucket).

use std::{fmt, ops::Range, path::Path};

use async_trait::async_trait;
use bytes::Bytes;
use crispy_checksum::Checksums;
use crispy_fault::Fault;
use url::Url;

use crate::{Head, ListEntry, Lookup, Metadata, Put};

/// Operations as documented at [`Bucket`](crate::Bucket). Keys are legal, ranges are not empty, and
/// metadata is complete.
#[async_trait]
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    async fn check_writable(&self, size: u64) -> Result<(), Fault>;

    async fn put_once(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: Checksums,
        metadata: Metadata,
    ) -> Result<Put, Fault>;

    async fn lookup(&self, key: &str, size: u64, sha256: &[u8; 32]) -> Result<Lookup, Fault>;

    async fn head(&self, key: &str) -> Result<Head, Fault>;

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Fault>;

    /// In any order.
    async fn list(&self, folder: &str) -> Result<Vec<ListEntry>, Fault>;

    /// A URL of an object's bytes, where it is not the bucket's URL followed by the key.
    fn link(&self, _key: &str, _generation: &str) -> Option<String> {
        None
    }

    /// The address of a remote store.
    fn endpoint(&self) -> Option<&Url> {
        None
    }

    /// The path of a folder bucket.
    fn root(&self) -> Option<&Path> {
        None
    }
}
