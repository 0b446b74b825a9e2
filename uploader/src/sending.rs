//! One object on its way into the bucket: attempts, until it is there or somebody else has to decide.
//!
//! ```text
//!   delivered before? ── look up ── there: ours ───────────────────────────────────────────┐
//!       │ no               │ absent                                                        │
//!       └── fetch, check ──┴── put ── stored, or there already: ours ──────────────────────┴──► object
//!             │ gone: look up   ├── refused once: pause, again, three times; damaged on its way: fetched anew before that
//!                               └── still refused: ask the bucket ── it is well: this object's own trouble (counted)
//!                                                                └── it is not: an outage (not counted)
//! ```

use std::{error::Error, sync::Arc};

use bytes::Bytes;
use crispy_bucket::{Lookup, Metadata, Put};
use crispy_checksum::Checksums;
use crispy_proto::v1::ChunkReady;
use crispy_spool::ReadError;
use tokio::time::sleep;
use tracing::debug;

use crate::{
    classify::{Step, UploadError, Verdict},
    destination::Destination,
    fetch::{FetchError, Spools},
    measured,
};

/// Where the bytes of an object are.
pub(crate) enum Origin {
    /// In a spool.
    Spool(Arc<ChunkReady>),
    /// Here.
    Memory(Bytes),
}

/// An object to be stored.
pub(crate) struct Sending<'a> {
    pub(crate) destination: &'a Destination,
    pub(crate) spools: &'a Spools,
    pub(crate) key: &'a str,
    pub(crate) size: u64,
    pub(crate) checksums: Checksums,
    pub(crate) metadata: Metadata,
    pub(crate) origin: Origin,
    /// It may be there already: the bucket is asked before anything is fetched.
    pub(crate) ask_first: bool,
}

/// An object that is there.
pub(crate) struct Object {
    /// The store's own version of it; empty where the store has none.
    pub(crate) generation: String,
    /// Somebody was faster, or an earlier attempt of ours.
    pub(crate) already_there: bool,
}

/// What the attempts so far have left.
#[derive(Default)]
struct Before {
    /// What was fetched.
    bytes: Option<Bytes>,
    /// How often the bucket was asked whether it is there.
    asked: u32,
    /// How often it was sent.
    sent: u32,
}

impl Sending<'_> {
    /// Stores it.
    pub(crate) async fn complete(mut self) -> Result<Object, UploadError> {
        let mut before = Before::default();
        let mut failed = 0;
        loop {
            let error = match self.attempt(&mut before).await {
                Ok(object) => return Ok(object),
                Err(error) => error,
            };
            failed += 1;
            match Verdict::on(&error).step(failed, rand::random()) {
                Step::Settle => return Err(error),
                Step::Ask => {
                    return Err(match self.destination.ask(self.size).await {
                        Ok(()) => error,
                        Err(absence) => UploadError::outage(error, absence),
                    });
                }
                Step::Again { pause, anew } => {
                    let object = self.key;
                    debug!(
                        object,
                        failed,
                        ?pause,
                        anew,
                        error = &error as &dyn Error,
                        "again"
                    );
                    measured::again(&error);
                    if anew {
                        before.bytes = None;
                    }
                    sleep(pause).await;
                }
            }
        }
    }

    /// One attempt.
    async fn attempt(&mut self, before: &mut Before) -> Result<Object, UploadError> {
        if self.ask_first {
            if let Some(object) = self.look_up(before).await? {
                return Ok(object);
            }
            self.ask_first = false;
        }
        let fetched = match &before.bytes {
            Some(bytes) => bytes.clone(),
            None => match self.fetch().await {
                Ok(fetched) => before.bytes.insert(fetched).clone(),
                // Freed by its owner, because it is in the bucket? Only the bucket can say.
                Err(
                    error @ FetchError::Read {
                        source: ReadError::Gone { .. },
                        ..
                    },
                ) => return self.look_up(before).await?.ok_or(UploadError::Fetch(error)),
                Err(error) => return Err(UploadError::Fetch(error)),
            },
        };
        let put = self.destination.put(
            self.key,
            fetched,
            &self.checksums,
            &self.metadata,
            before.sent,
        );
        before.sent += 1;
        match put.await? {
            Put::Stored { generation } => Ok(Object {
                generation,
                already_there: false,
            }),
            Put::AlreadyMine { generation } => Ok(Object {
                generation,
                already_there: true,
            }),
            Put::Foreign(_) => Err(self.foreign()),
        }
    }

    async fn look_up(&self, before: &mut Before) -> Result<Option<Object>, UploadError> {
        let sha256 = &self.checksums.sha256;
        let found = self
            .destination
            .look_up(self.key, self.size, sha256, before.asked);
        before.asked += 1;
        match found.await? {
            Lookup::Absent => Ok(None),
            Lookup::Mine { generation } => Ok(Some(Object {
                generation,
                already_there: true,
            })),
            Lookup::Foreign(_) => Err(self.foreign()),
        }
    }

    async fn fetch(&self) -> Result<Bytes, FetchError> {
        match &self.origin {
            Origin::Spool(chunk) => self.spools.fetch(Arc::clone(chunk)).await,
            Origin::Memory(bytes) => Ok(bytes.clone()),
        }
    }

    fn foreign(&self) -> UploadError {
        UploadError::Foreign {
            object: self.key.to_owned(),
        }
    }
}
