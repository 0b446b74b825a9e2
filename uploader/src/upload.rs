//! The handler: one chunk from its spool into the bucket, and the word that it is there.
//!
//! ```text
//!   descriptor ── delivered before? ── lookup ── there: ours ──────────────┐
//!       │ no                             │ absent                          │
//!       └────────── fetch, check ────────┴── put_once ── Stored, AlreadyMine ── ChunkUploaded ── (the worker acks)
//!                       │ gone: lookup           └───── Foreign: reject
//! ```
//!
//! The order is the proof: put, then the event's publish ack, then the ack. Killed anywhere, the next delivery finds how far it came.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use daemon::now_us;
use proto::{
    id::{ObjectKey, run_state_key},
    v1::{self, ChunkReady, ChunkUploaded, RunState},
};
use queue::{Delivery, Failure, Handler, Publisher, Subjects, message_id};
use store::{
    bucket::{Bucket, Lookup, Metadata, Put, PutError},
    checksum::Checksums,
    spool::ReadError,
};
use tracing::{info, warn};

use crate::{
    classify::{UploadError, classify},
    fetch::{FetchError, Spools},
    metadata, run_state,
    work::Work,
};

/// Everything that an upload needs.
pub struct Upload {
    /// Where objects go.
    pub bucket: Bucket,
    /// What it had no place for.
    pub refused: Refused,
    /// Where bytes are found.
    pub spools: Spools,
    /// Where events go.
    pub publisher: Publisher,
    /// What events are called.
    pub subjects: Subjects,
    /// This process.
    pub producer: v1::Producer,
}

/// The size of the largest object that the bucket had no place for since it was last there: a disk that is almost full takes small ones
/// still, and a probe that is smaller than the work would call it back, and away again, for as long as it stays so.
#[derive(Debug, Default)]
pub struct Refused(AtomicU64);

impl Refused {
    fn note(&self, size: u64) {
        self.0.fetch_max(size, Ordering::Relaxed);
    }

    fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    fn size(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// An object that holds a chunk.
struct Object {
    generation: String,
    already_there: bool,
}

impl Handler for Upload {
    type Message = Work;

    async fn handle(&self, work: Work, delivery: &Delivery) -> Result<(), Failure> {
        match work {
            Work::Chunk(chunk) => self.chunk(Arc::from(chunk), delivery).await,
            Work::Run(state) => self.run_state(&state).await,
        }
        .map_err(classify)
    }

    async fn probe(&self) -> bool {
        let back = self
            .bucket
            .check_writable(self.refused.size())
            .await
            .is_ok();
        if back {
            self.refused.forget();
        }
        back
    }
}

impl Upload {
    async fn chunk(&self, chunk: Arc<ChunkReady>, delivery: &Delivery) -> Result<(), UploadError> {
        let id = ObjectKey::of(&chunk).map_err(UploadError::Key)?;
        let key = id.to_string();
        let checksums = Checksums::described(&chunk).ok_or(UploadError::Checksum)?;
        let found = if delivery.is_repeated() {
            self.look_up(&key, &chunk, &checksums).await?
        } else {
            None
        };
        let object = match found {
            Some(object) => object,
            None => self.put(&key, &chunk, &checksums).await?,
        };
        info!(chunk = %id.chunk, object = key, bytes = chunk.size, already_there = object.already_there, "uploaded");
        let event = ChunkUploaded {
            bucket: self.bucket.url().to_owned(),
            media_link: self.bucket.media_link(&key, &object.generation),
            object: key,
            generation: object.generation,
            size: chunk.size,
            crc32c: checksums.crc32c,
            sha256: checksums.sha256.to_vec(),
            already_there: object.already_there,
            uploaded_us: now_us(),
            producer: Some(self.producer.clone()),
            needs: Vec::new(),
            chunk: Some(Arc::unwrap_or_clone(chunk)),
        };
        let answered =
            message_id::uploaded(delivery.message_id.as_deref().unwrap_or(&event.object));
        let subject = self.subjects.uploaded(&id.chunk.camera);
        self.publisher
            .publish(subject, &answered, &event)
            .await
            .map_err(UploadError::Announce)?;
        Ok(())
    }

    async fn put(
        &self,
        key: &str,
        chunk: &Arc<ChunkReady>,
        checksums: &Checksums,
    ) -> Result<Object, UploadError> {
        let bytes = match self.spools.fetch(Arc::clone(chunk)).await {
            Ok(bytes) => bytes,
            // Freed by its owner, because it is in the bucket? Only the bucket can say.
            Err(
                error @ FetchError::Read {
                    source: ReadError::Gone { .. },
                    ..
                },
            ) => {
                let found = self.look_up(key, chunk, checksums).await?;
                return found.ok_or(UploadError::Fetch(error));
            }
            Err(error) => return Err(UploadError::Fetch(error)),
        };
        let metadata = metadata::of_chunk(chunk).map_err(UploadError::Metadata)?;
        self.put_once(key, bytes, checksums, &metadata).await
    }

    async fn look_up(
        &self,
        key: &str,
        chunk: &ChunkReady,
        checksums: &Checksums,
    ) -> Result<Option<Object>, UploadError> {
        let found = self.bucket.lookup(key, chunk.size, &checksums.sha256).await;
        match found.map_err(UploadError::LookUp)? {
            Lookup::Absent => Ok(None),
            Lookup::Mine { generation } => Ok(Some(Object {
                generation,
                already_there: true,
            })),
            Lookup::Foreign(_) => Err(UploadError::Foreign { object: key.into() }),
        }
    }

    async fn put_once(
        &self,
        key: &str,
        bytes: Bytes,
        checksums: &Checksums,
        metadata: &Metadata,
    ) -> Result<Object, UploadError> {
        let size = bytes.len() as u64;
        let put = self.bucket.put_once(key, bytes, checksums, metadata).await;
        if let Err(PutError::Unavailable { .. }) = &put {
            self.refused.note(size);
        }
        match put.map_err(UploadError::Put)? {
            Put::Stored { generation } => Ok(Object {
                generation,
                already_there: false,
            }),
            Put::AlreadyMine { generation } => Ok(Object {
                generation,
                already_there: true,
            }),
            Put::Foreign(_) => Err(UploadError::Foreign { object: key.into() }),
        }
    }

    async fn run_state(&self, state: &RunState) -> Result<(), UploadError> {
        let key = run_state_key(state).map_err(UploadError::Key)?;
        let json = run_state::json(state);
        let checksums = Checksums::of(&json);
        match self
            .put_once(&key, json, &checksums, &Metadata::default())
            .await
        {
            // Another version may have written the same run in other words. What was said first stays.
            Err(UploadError::Foreign { object }) => warn!(
                object,
                "the run's state is stored already, in other words; kept"
            ),
            stored => {
                let already_there = stored?.already_there;
                info!(
                    site = state.site,
                    camera = state.camera,
                    run = state.run,
                    object = key,
                    already_there,
                    "run stored"
                );
            }
        }
        Ok(())
    }
}
