//! Objects that are there, and the question whether they are.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{Attribute, GetOptions, GetRange, ObjectStore, path::Path};

use super::{
    super::{
        Head, Listed, Metadata,
        fault::Fault,
        key,
        remote::{Deed, GoogleCrc32c, Verdict},
    },
    Objects,
};

impl Objects {
    pub(crate) async fn head(&self, key: &str) -> Result<Head, Fault> {
        Ok(self.head_and_sum(key).await?.0)
    }

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
        let found = match self.connection.ask(Deed::Get, 0, head).await {
            Err(Verdict::Fault(Fault::Absent)) => return Err(self.absence(key).await),
            found => found.map_err(Verdict::into_fault)?,
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

    /// The answer to a HEAD has no words, so that a missing bucket looks like a missing object; and a chunk must not be called gone because
    /// its bucket is. The first byte is asked for in words.
    async fn absence(&self, key: &str) -> Fault {
        if self.connection.kind().is_none() {
            return Fault::Absent;
        }
        match self.bytes(key, 1, Some(0..1)).await {
            Ok(_) => Fault::transient("it came while it was asked for"),
            Err(verdict) => verdict.into_fault(),
        }
    }

    pub(super) async fn bytes(
        &self,
        key: &str,
        most: u64,
        range: Option<Range<u64>>,
    ) -> Result<Bytes, Verdict> {
        let path = self.connection.path(key).map_err(Verdict::Fault)?;
        let get = |store: Arc<dyn ObjectStore>| {
            let path = path.clone();
            let options = GetOptions {
                range: range.clone().map(GetRange::Bounded),
                ..GetOptions::default()
            };
            async move { store.get_opts(&path, options).await?.bytes().await }
        };
        self.connection.ask(Deed::Get, most, get).await
    }

    pub(crate) async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Fault> {
        let verdict = match self
            .bytes(key, range.end - range.start, Some(range.clone()))
            .await
        {
            Ok(bytes) => return Ok(bytes),
            Err(Verdict::Fault(fault @ (Fault::Absent | Fault::Unavailable(..)))) => {
                return Err(fault);
            }
            Err(verdict) => verdict,
        };
        // Stores have no common word for a range beyond the end, so the size has the say.
        let size = self.head(key).await?.size;
        if range.start >= size {
            return Err(Fault::invalid(format!(
                "it has {size} bytes, none from {} on",
                range.start
            )));
        }
        Err(verdict.into_fault())
    }

    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<Listed>, Fault> {
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
        let all = self
            .connection
            .ask(Deed::List, 0, list)
            .await
            .map_err(Verdict::into_fault)?;
        let ours = all.into_iter().filter_map(|(path, size)| {
            let key = self.connection.key(path.as_ref())?;
            // The probe of a store that ignores conditions, and names that are not ours.
            key::check(&key).is_ok().then_some(Listed { key, size })
        });
        Ok(ours.collect())
    }
}
