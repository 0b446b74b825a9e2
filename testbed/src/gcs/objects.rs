//! Buckets and their objects with generations, in memory.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{checksum::Sums, content::Content, error_response::ErrorResponse};

/// Google's limit, in bytes, of the names and values of one object's metadata.
pub(crate) const METADATA_LIMIT: usize = 8 * 1024;

/// The headers and the metadata that a client stores with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// `content-type` and its like, by header name.
    pub(crate) headers: BTreeMap<&'static str, String>,
    /// By name in lower case, without `x-goog-meta-`.
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Attributes {
    /// Refuses more metadata than Google keeps.
    pub(crate) fn check(&self) -> Result<(), ErrorResponse> {
        let entries = self.metadata.iter();
        let bytes = entries.map(|(name, value)| name.len() + value.len()).sum();
        if bytes > METADATA_LIMIT {
            return Err(ErrorResponse::metadata_too_large(bytes, METADATA_LIMIT));
        }
        Ok(())
    }
}

/// An object as it was written: it never changes, it can only be replaced in its bucket.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) content: Content,
    pub(crate) sums: Sums,
    pub(crate) attributes: Attributes,
    /// Larger than that of any object before it.
    pub(crate) generation: u64,
    pub(crate) created: SystemTime,
}

impl Object {
    /// Google's are the MD5 of most objects and something else for composite ones: clients must not
    /// rely on it.
    pub(crate) fn etag(&self) -> String {
        format!("\"{:x}-{:08x}\"", self.generation, self.sums.crc32c)
    }
}

/// Preconditions on the object that exists under a key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Condition {
    /// Its generation; 0 when no object may exist.
    pub(crate) generation: Option<u64>,
    pub(crate) not_generation: Option<u64>,
}

impl Condition {
    pub(crate) fn check(self, existing: Option<&Object>) -> Result<(), ErrorResponse> {
        let generation = existing.map_or(0, |object| object.generation);
        let holds = self.generation.is_none_or(|wanted| wanted == generation)
            && self.not_generation.is_none_or(|other| other != generation);
        holds
            .then_some(())
            .ok_or_else(ErrorResponse::precondition_failed)
    }
}

/// A page of a listing.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Arc<Object>>,
    pub(crate) prefixes: Vec<String>,
    /// The next page begins after this name.
    pub(crate) next: Option<String>,
}

/// The part of a bucket to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    pub(crate) prefix: String,
    /// Names are cut after its first occurrence behind the prefix, and listed once.
    pub(crate) delimiter: String,
    /// Only names after this one.
    pub(crate) after: String,
    /// Entries on a page.
    pub(crate) limit: usize,
}

/// The numbers of writes since the start of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects written under a key that was free.
    pub created: u64,
    /// Objects that replaced another.
    pub overwritten: u64,
    /// Objects deleted by request.
    pub deleted: u64,
    /// Objects dropped for newer ones ([`super::Options::max_bytes`]).
    pub dropped: u64,
}

/// All buckets of a server.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    buckets: HashMap<String, BTreeMap<String, Arc<Object>>>,
    newest: u64,
    pub(crate) counts: Counts,
    max_bytes: Option<u64>,
    /// Bucket, key and size of the objects, oldest first. Not kept without a limit.
    order: VecDeque<(String, String, u64)>,
    bytes: u64,
}

impl Objects {
    pub(crate) fn new(buckets: &[String], max_bytes: Option<u64>) -> Self {
        let empty = |name: &String| (name.clone(), BTreeMap::new());
        Self {
            buckets: buckets.iter().map(empty).collect(),
            max_bytes,
            ..Self::default()
        }
    }

    pub(crate) fn bucket(
        &self,
        name: &str,
    ) -> Result<&BTreeMap<String, Arc<Object>>, ErrorResponse> {
        self.buckets
            .get(name)
            .ok_or_else(ErrorResponse::no_such_bucket)
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Result<Arc<Object>, ErrorResponse> {
        let object = self.bucket(bucket)?.get(key);
        object
            .cloned()
            .ok_or_else(|| ErrorResponse::no_such_key(bucket, key))
    }

    /// Writes an object and replaces an existing one.
    pub(crate) fn put(
        &mut self,
        bucket: &str,
        new: NewObject,
    ) -> Result<Arc<Object>, ErrorResponse> {
        new.attributes.check()?;
        let existing = self.bucket(bucket)?.get(&new.key);
        match existing {
            Some(_) => self.counts.overwritten += 1,
            None => self.counts.created += 1,
        }
        let created = SystemTime::now();
        self.newest = micros(created).max(self.newest + 1);
        let object = Arc::new(Object {
            key: new.key,
            content: new.content,
            sums: new.sums,
            attributes: new.attributes,
            generation: self.newest,
            created,
        });
        if let Some(objects) = self.buckets.get_mut(bucket) {
            objects.insert(object.key.clone(), Arc::clone(&object));
        }
        self.drop_oldest(bucket, &object);
        Ok(object)
    }

    pub(crate) fn delete(&mut self, bucket: &str, key: &str) -> Result<(), ErrorResponse> {
        self.get(bucket, key)?;
        let objects = self.buckets.get_mut(bucket);
        objects.and_then(|objects| objects.remove(key));
        self.counts.deleted += 1;
        Ok(())
    }

    /// Drops the oldest objects while all together exceed the limit.
    fn drop_oldest(&mut self, bucket: &str, newest: &Object) {
        let Some(max_bytes) = self.max_bytes else {
            return;
        };
        let entry = (bucket.to_owned(), newest.key.clone(), newest.content.len());
        self.bytes += entry.2;
        self.order.push_back(entry);
        while self.bytes > max_bytes && self.order.len() > 1 {
            let Some((bucket, key, bytes)) = self.order.pop_front() else {
                break;
            };
            self.bytes -= bytes;
            let objects = self.buckets.get_mut(&bucket);
            if objects.and_then(|objects| objects.remove(&key)).is_some() {
                self.counts.dropped += 1;
            }
        }
    }

    pub(crate) fn list(&self, bucket: &str, listing: &Listing) -> Result<Page, ErrorResponse> {
        let start = listing.after.as_str().max(listing.prefix.as_str());
        let from = (Bound::Included(start), Bound::Unbounded);
        let mut page = Page::default();
        let mut last = String::new();
        for (key, object) in self.bucket(bucket)?.range::<str, _>(from) {
            let Some(rest) = key.strip_prefix(&listing.prefix) else {
                break;
            };
            let cut = Some(&listing.delimiter)
                .filter(|delimiter| !delimiter.is_empty())
                .and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()))
                .map(|end| &key[..listing.prefix.len() + end]);
            let name = cut.unwrap_or(key);
            if name <= listing.after.as_str() || name == last {
                continue;
            }
            if page.objects.len() + page.prefixes.len() == listing.limit {
                page.next = Some(last);
                break;
            }
            last = name.to_owned();
            match cut {
                Some(prefix) => page.prefixes.push(prefix.to_owned()),
                None => page.objects.push(Arc::clone(object)),
            }
        }
        Ok(page)
    }
}

/// An object before it is written.
#[derive(Debug)]
pub(crate) struct NewObject {
    pub(crate) key: String,
    pub(crate) content: Content,
    pub(crate) sums: Sums,
    pub(crate) attributes: Attributes,
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
