//! What lies in the buckets: objects with generations, in memory.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;

use super::{checksum::Sums, refusal::Refusal};

/// Google's limit of the names and values of one object's metadata.
pub(crate) const METADATA_LIMIT: usize = 8 * 1024;

/// The bytes of an object, in the pieces in which they came: they are never copied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content(pub(crate) Vec<Bytes>);

impl Content {
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|piece| piece.len() as u64).sum()
    }

    /// The stretch from `from` up to, not including, `end`.
    pub(crate) fn slice(&self, from: u64, end: u64) -> Self {
        let mut at = 0;
        let mut pieces = Vec::new();
        for piece in &self.0 {
            let next = at + piece.len() as u64;
            let (first, last) = (from.max(at), end.min(next));
            if first < last {
                // Within a piece, whose length is a usize.
                pieces.push(piece.slice((first - at) as usize..(last - at) as usize));
            }
            at = next;
        }
        Self(pieces)
    }
}

/// What its writer said of an object, beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// `content-type` and its like, by header name.
    pub(crate) headers: BTreeMap<&'static str, String>,
    /// By name in lower case, without `x-goog-meta-`.
    pub(crate) metadata: BTreeMap<String, String>,
}

impl About {
    /// Refuses what Google would not keep.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let entries = self.metadata.iter();
        let bytes = entries.map(|(name, value)| name.len() + value.len()).sum();
        if bytes > METADATA_LIMIT {
            return Err(Refusal::metadata_too_large(bytes, METADATA_LIMIT));
        }
        Ok(())
    }
}

/// An object as it was written: it never changes, only its place in the bucket does.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) content: Content,
    pub(crate) sums: Sums,
    pub(crate) about: About,
    /// Larger than that of any object before it.
    pub(crate) generation: u64,
    pub(crate) created: SystemTime,
}

impl Object {
    /// Google's are MD5 sums of most objects, and something else of composite ones: nobody may rely on it.
    pub(crate) fn etag(&self) -> String {
        format!("\"{:x}-{:08x}\"", self.generation, self.sums.crc32c)
    }
}

/// What must hold of the object that is there.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Condition {
    /// Its generation; 0 is: there is none.
    pub(crate) generation: Option<u64>,
    pub(crate) not_generation: Option<u64>,
}

impl Condition {
    pub(crate) fn check(self, there: Option<&Object>) -> Result<(), Refusal> {
        let generation = there.map_or(0, |object| object.generation);
        let holds = self.generation.is_none_or(|wanted| wanted == generation)
            && self.not_generation.is_none_or(|other| other != generation);
        holds.then_some(()).ok_or_else(Refusal::precondition_failed)
    }
}

/// A page of a listing.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Arc<Object>>,
    pub(crate) prefixes: Vec<String>,
    /// Where the next page begins: after this name.
    pub(crate) next: Option<String>,
}

/// Which part of a bucket is to be listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    pub(crate) prefix: String,
    /// Names are cut after its first appearance behind the prefix, and listed once.
    pub(crate) delimiter: String,
    /// Only names after this one.
    pub(crate) after: String,
    /// Entries on a page.
    pub(crate) most: usize,
}

/// How much was written, since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects written under a key that was free.
    pub created: u64,
    /// Objects written in the place of another.
    pub overwritten: u64,
    /// Objects deleted by request.
    pub deleted: u64,
    /// Objects dropped because there was no room left for them ([`super::Options::max_bytes`]).
    pub dropped: u64,
}

/// All buckets of a server.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    buckets: HashMap<String, BTreeMap<String, Arc<Object>>>,
    newest: u64,
    pub(crate) counts: Counts,
    /// Bytes to be kept at most, and what is there, oldest first. Not kept without a limit.
    room: Option<u64>,
    order: VecDeque<(String, String, u64)>,
    bytes: u64,
}

impl Objects {
    pub(crate) fn new(buckets: &[String], room: Option<u64>) -> Self {
        let empty = |name: &String| (name.clone(), BTreeMap::new());
        Self {
            buckets: buckets.iter().map(empty).collect(),
            room,
            ..Self::default()
        }
    }

    pub(crate) fn bucket(&self, name: &str) -> Result<&BTreeMap<String, Arc<Object>>, Refusal> {
        self.buckets.get(name).ok_or_else(Refusal::no_such_bucket)
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Result<Arc<Object>, Refusal> {
        let object = self.bucket(bucket)?.get(key);
        object
            .cloned()
            .ok_or_else(|| Refusal::no_such_key(bucket, key))
    }

    /// Writes an object, whatever is there.
    pub(crate) fn put(&mut self, bucket: &str, draft: Draft) -> Result<Arc<Object>, Refusal> {
        draft.about.check()?;
        let there = self.bucket(bucket)?.get(&draft.key);
        match there {
            Some(_) => self.counts.overwritten += 1,
            None => self.counts.created += 1,
        }
        let created = SystemTime::now();
        self.newest = micros(created).max(self.newest + 1);
        let object = Arc::new(Object {
            key: draft.key,
            content: draft.content,
            sums: draft.sums,
            about: draft.about,
            generation: self.newest,
            created,
        });
        if let Some(objects) = self.buckets.get_mut(bucket) {
            objects.insert(object.key.clone(), Arc::clone(&object));
        }
        self.make_room(bucket, &object);
        Ok(object)
    }

    pub(crate) fn delete(&mut self, bucket: &str, key: &str) -> Result<(), Refusal> {
        self.get(bucket, key)?;
        let objects = self.buckets.get_mut(bucket);
        objects.and_then(|objects| objects.remove(key));
        self.counts.deleted += 1;
        Ok(())
    }

    /// Drops the oldest objects where all together have become too many bytes.
    fn make_room(&mut self, bucket: &str, newest: &Object) {
        let Some(room) = self.room else { return };
        let place = (bucket.to_owned(), newest.key.clone(), newest.content.len());
        self.bytes += place.2;
        self.order.push_back(place);
        while self.bytes > room && self.order.len() > 1 {
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

    pub(crate) fn list(&self, bucket: &str, listing: &Listing) -> Result<Page, Refusal> {
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
            if page.objects.len() + page.prefixes.len() == listing.most {
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

/// An object that is to be written.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) key: String,
    pub(crate) content: Content,
    pub(crate) sums: Sums,
    pub(crate) about: About,
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
