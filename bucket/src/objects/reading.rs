//! Reads of objects: head, ranges, listings.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use crispy_fault::Fault;
use futures_util::TryStreamExt;
use object_store::{Attribute, GetOptions, GetRange, ObjectStore, path::Path};

use super::Objects;
use crate::{
    Head, ListEntry, Metadata, key,
    remote::{Classification, GoogleCrc32c, Operation},
};

impl Objects {
    pub(super) async fn head_and_sum(
        &self,
        key: &str,
    ) -> Result<(Head, Option<GoogleCrc32c>), Fault> {
        let path = self.connection.path(key)?;
        let head = |store: Arc<dyn ObjectStore>| {
            let path = path.clone();
            let options = GetOptions {
                head: true,
                ..GetOptions::default()
            };
            async move { store.get_opts(&path, options).await }
        };
        let answer = self.connection.run(Operation::Get, 0, head).await;
        let found = match answer.map_err(Classification::into_fault) {
            Ok(found) => found,
            Err(fault) if fault.is_not_found() => {
                return Err(self.verify_absence(key, fault).await);
            }
            Err(fault) => return Err(fault),
        };
        let stored = found
            .attributes
            .iter()
            .filter_map(|(attribute, value)| match attribute {
                Attribute::Metadata(key) => Some((key.as_ref(), value.as_ref())),
                _ => None,
            });
        let head = Head {
            size: found.meta.size,
            metadata: Metadata::decoded(stored),
            generation: found.meta.version.unwrap_or_default(),
        };
        Ok((head, found.extensions.get().copied()))
    }

    /// Requests the first byte of an absent object. The answer to a HEAD has no body, so a missing
    /// bucket looks like a missing object; the answer to a GET names the missing one. A chunk must
    /// not be called gone because its bucket is.
    async fn verify_absence(&self, key: &str, absent: Fault) -> Fault {
        if self.connection.provider().is_none() {
            return absent;
        }
        match self.bytes(key, 1, Some(0..1)).await {
            Ok(_) => Fault::transient("object appeared during the request"),
            Err(classification) => classification.into_fault(),
        }
    }

    pub(super) async fn bytes(
        &self,
        key: &str,
        limit: u64,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, Classification> {
        let path = self.connection.path(key).map_err(Classification::Fault)?;
        let get = |store: Arc<dyn ObjectStore>| {
            let path = path.clone();
            let options = GetOptions {
                range: range.clone().map(GetRange::Bounded),
                ..GetOptions::default()
            };
            async move { store.get_opts(&path, options).await?.bytes().await }
        };
        self.connection.run(Operation::Get, limit, get).await
    }

    pub(super) async fn read_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Fault> {
        let bytes = self.bytes(key, range.end - range.start, Some(range.clone()));
        let fault = match bytes.await.map_err(Classification::into_fault) {
            Ok(bytes) => return Ok(bytes),
            Err(fault) if fault.is_not_found() || fault.is_unavailable() => return Err(fault),
            Err(fault) => fault,
        };
        // Stores have no common answer to a range beyond the end, so the size decides.
        let size = self.head_and_sum(key).await?.0.size;
        if range.start >= size {
            return Err(Fault::rejected(format!(
                "object has {size} bytes, none from {} on",
                range.start
            )));
        }
        Err(fault)
    }

    pub(super) async fn list_folder(&self, folder: &str) -> Result<Vec<ListEntry>, Fault> {
        let path = self.connection.path(folder)?;
        let list = |store: Arc<dyn ObjectStore>| {
            let path = path.clone();
            async move {
                let prefix = (!path.as_ref().is_empty()).then_some(&path);
                let all = store
                    .list(prefix)
                    .map_ok(|object| (object.location, object.size));
                all.try_collect::<Vec<(Path, u64)>>().await
            }
        };
        let all = self.connection.run(Operation::List, 0, list).await;
        let all = all.map_err(Classification::into_fault)?;
        let ours = all.into_iter().filter_map(|(path, size)| {
            let key = self.connection.key(path.as_ref())?;
            // Skips the probe of a store that ignores preconditions, and foreign names.
            key::check(&key).is_ok().then_some(ListEntry { key, size })
        });
        Ok(ours.collect())
    }
}
