//! Objects through object_store: memory now, and the place of every store that is reached over HTTP.

use std::{fmt, ops::Range, sync::Arc};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, path::Path,
};

use super::{Found, Head, Listed, Lookup, Metadata, Put, fault::Fault, metadata};
use crate::{Checksums, checksum::hex};

/// Guarantee: two objects are called equal when their sizes are, and their SHA-256, by the metadata that every put stores or, where
/// somebody else wrote the object without, by its bytes.
#[derive(Clone)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
}

impl Objects {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    pub(super) async fn put_once(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: &Checksums,
        metadata: &Metadata,
    ) -> Result<Put, Fault> {
        let size = bytes.len() as u64;
        let options = PutOptions {
            mode: PutMode::Create,
            attributes: attributes(metadata),
            ..PutOptions::default()
        };
        let payload = PutPayload::from_bytes(bytes);
        match self.store.put_opts(&path(key)?, payload, options).await {
            Ok(result) => Ok(Put::Stored {
                generation: result.version.unwrap_or_default(),
            }),
            Err(object_store::Error::AlreadyExists { .. }) => {
                match self.lookup(key, size, &checksums.sha256).await? {
                    Lookup::Mine { generation } => Ok(Put::AlreadyMine { generation }),
                    Lookup::Foreign(found) => Ok(Put::Foreign(found)),
                    Lookup::Absent => {
                        Err(Fault::transient("the object was there and is gone again"))
                    }
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn lookup(
        &self,
        key: &str,
        size: u64,
        sha256: &[u8; 32],
    ) -> Result<Lookup, Fault> {
        let head = match self.head(key).await {
            Err(Fault::Absent) => return Ok(Lookup::Absent),
            head => head?,
        };
        let foreign = |sha256| {
            Ok(Lookup::Foreign(Found {
                size: head.size,
                sha256,
            }))
        };
        if head.size != size {
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
                let whole = self.store.get(&path(key)?).await?.bytes().await?;
                let found = Checksums::of(&whole).sha256;
                if found == *sha256 {
                    Ok(mine)
                } else {
                    foreign(Some(found))
                }
            }
        }
    }

    pub(super) async fn head(&self, key: &str) -> Result<Head, Fault> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let found = self.store.get_opts(&path(key)?, options).await?;
        let stored = found
            .attributes
            .iter()
            .filter_map(|(attribute, value)| match attribute {
                Attribute::Metadata(key) => Some((key.as_ref(), value.as_ref())),
                _ => None,
            });
        Ok(Head {
            size: found.meta.size,
            metadata: Metadata::decoded(stored),
            generation: found.meta.version.unwrap_or_default(),
        })
    }

    pub(super) async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, Fault> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range.clone())),
            ..GetOptions::default()
        };
        let path = path(key)?;
        match self.store.get_opts(&path, options).await {
            Ok(found) => Ok(found.bytes().await?),
            Err(error) => {
                // Stores have no common word for a range beyond the end, so the size has the say.
                let size = self.store.head(&path).await?.size;
                if range.start >= size {
                    return Err(Fault::invalid(format!(
                        "it has {size} bytes, none from {} on",
                        range.start
                    )));
                }
                Err(error.into())
            }
        }
    }

    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Listed>, Fault> {
        let prefix = (!folder.is_empty()).then(|| path(folder)).transpose()?;
        let listed = self.store.list(prefix.as_ref()).map_ok(|object| Listed {
            key: object.location.into(),
            size: object.size,
        });
        Ok(listed.try_collect().await?)
    }
}

impl fmt::Debug for Objects {
    /// Never the store's own output, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

fn path(key: &str) -> Result<Path, Fault> {
    Path::parse(key).map_err(Fault::invalid)
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
