//! The handler: one chunk from its spool into the bucket, and the word that it is there.
//!
//! ```text
//!   descriptor ── name, checksums, metadata ── object in the bucket (sending) ── ChunkUploaded ── (the worker acks)
//! ```
//!
//! The order is the proof: put, then the event's publish ack, then the ack. Killed anywhere, the next delivery finds how far it came.

use std::sync::Arc;

use crispy_bucket::Metadata;
use crispy_checksum::Checksums;
use crispy_jetstream::{Delivery, Failure};
use crispy_proto::{
    id::{ObjectKey, run_state_key},
    v1::{self, ChunkReady, ChunkUploaded, RunState},
};
use crispy_queue::{Handler, Publisher, Subjects, message_id};
use crispy_runtime::{logging::CHUNKS, now_us};
use crispy_telemetry::context;
use tracing::{info, warn};

use crate::{
    classify::{UploadError, classify},
    destination::Destination,
    fetch::Spools,
    measured, metadata, run_state,
    sending::{Origin, Sending},
    work::Work,
};

/// Everything that an upload needs.
pub struct Upload {
    /// Where objects go.
    pub destination: Destination,
    /// Where bytes are found.
    pub spools: Spools,
    /// Where events go.
    pub publisher: Publisher,
    /// What events are called.
    pub subjects: Subjects,
    /// This process.
    pub producer: v1::Producer,
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
        self.destination.is_back().await
    }
}

impl Upload {
    async fn chunk(&self, chunk: Arc<ChunkReady>, delivery: &Delivery) -> Result<(), UploadError> {
        let id = ObjectKey::from_descriptor(&chunk).map_err(UploadError::Key)?;
        let key = id.to_string();
        let checksums =
            Checksums::from_parts(chunk.crc32c, &chunk.sha256).ok_or(UploadError::Checksum)?;
        let sending = Sending {
            destination: &self.destination,
            spools: &self.spools,
            key: &key,
            size: chunk.size,
            checksums,
            metadata: metadata::of_chunk(&chunk, context::traceparent())
                .map_err(UploadError::Metadata)?,
            origin: Origin::Spool(Arc::clone(&chunk)),
            ask_first: delivery.is_repeated(),
        };
        let object = sending.complete().await?;
        info!(target: CHUNKS, chunk = %id.chunk, object = key, bytes = chunk.size, already_there = object.already_there, "uploaded");
        let bucket = self.destination.bucket();
        let event = ChunkUploaded {
            bucket: bucket.url().to_owned(),
            media_link: bucket.media_link(&key, &object.generation),
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
        event.chunk.as_ref().map(measured::uploaded);
        Ok(())
    }

    async fn run_state(&self, state: &RunState) -> Result<(), UploadError> {
        let key = run_state_key(state).map_err(UploadError::Key)?;
        let json = run_state::json(state);
        let sending = Sending {
            destination: &self.destination,
            spools: &self.spools,
            key: &key,
            size: json.len() as u64,
            checksums: Checksums::new(&json),
            metadata: Metadata::new(),
            origin: Origin::Memory(json),
            ask_first: false,
        };
        match sending.complete().await {
            // Another version may have written the same run in other words. What was said first stays.
            Err(UploadError::Foreign { object }) => warn!(
                object,
                "the run's state is stored already, in other words, and kept: all is well if another version of crispy wrote it, else see who writes under this key"
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
