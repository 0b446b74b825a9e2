//! The handler: puts one chunk from its spool into the bucket, and announces it.
//!
//! ```text
//!   descriptor ── name, checksums, metadata ── object (attempts) ── ChunkUploaded ── worker's ack
//! ```
//!
//! Every guarantee rests on the order: put, then the event's publish ack, then the ack. After a
//! crash at any point the next delivery finds the steps that are done.

use std::sync::Arc;

use crispy_bucket::Metadata;
use crispy_checksum::Checksums;
use crispy_fault::{Fault, Kind};
use crispy_jetstream::Delivery;
use crispy_proto::{
    id::{ObjectKey, run_state_key},
    v1::{self, ChunkReady, ChunkUploaded, RunState},
};
use crispy_queue::{Decode, DecodeError, Handler, Message, Publisher, Subjects, message_id};
use crispy_runtime::{logging::CHUNKS, now_us};
use crispy_telemetry::context;
use tracing::{info, warn};

use crate::{
    attempts::{ByteSource, UploadAttempts},
    fetch::SpoolReaders,
    metadata, metrics,
    monitored_bucket::MonitoredBucket,
    run_state,
};

/// A message of the chunks' stream.
#[derive(Clone, Debug)]
pub enum ChunkMessage {
    /// A chunk in some spool, to be put into the bucket.
    Chunk(Box<ChunkReady>),
    /// The state of a run, to be put into the bucket as JSON.
    Run(Box<RunState>),
}

impl Decode for ChunkMessage {
    fn decode(type_name: &str, payload: &[u8]) -> Result<Self, DecodeError> {
        match type_name {
            RunState::TYPE => <RunState as Decode>::decode(type_name, payload)
                .map(|state| Self::Run(Box::new(state))),
            _ => <ChunkReady as Decode>::decode(type_name, payload)
                .map(|chunk| Self::Chunk(Box::new(chunk))),
        }
    }
}

/// The handler of an uploader's worker.
pub struct UploadHandler {
    pub(crate) bucket: MonitoredBucket,
    pub(crate) spools: SpoolReaders,
    pub(crate) publisher: Publisher,
    pub(crate) subjects: Subjects,
    /// This process.
    pub(crate) producer: v1::Producer,
}

impl Handler for UploadHandler {
    type Message = ChunkMessage;

    async fn handle(&self, message: ChunkMessage, delivery: &Delivery) -> Result<(), Fault> {
        match message {
            ChunkMessage::Chunk(chunk) => self.upload_chunk(Arc::from(chunk), delivery).await,
            ChunkMessage::Run(state) => self.store_run_state(&state).await,
        }
    }

    async fn probe(&self) -> bool {
        self.bucket.has_recovered().await
    }
}

impl UploadHandler {
    async fn upload_chunk(&self, chunk: Arc<ChunkReady>, delivery: &Delivery) -> Result<(), Fault> {
        let id = ObjectKey::from_descriptor(&chunk)
            .map_err(|error| Fault::rejected("name object").with_source(error))?;
        let key = id.to_string();
        let checksums = Checksums::from_parts(chunk.crc32c, &chunk.sha256)
            .ok_or_else(|| Fault::rejected("descriptor has no whole SHA-256"))?;
        let metadata = metadata::for_chunk(&chunk, context::traceparent())
            .map_err(|fault| fault.context("describe object"))?;
        let attempts = UploadAttempts {
            bucket: &self.bucket,
            spools: &self.spools,
            key: &key,
            size: chunk.size,
            checksums,
            metadata,
            source: ByteSource::Spool(Arc::clone(&chunk)),
            look_up_first: delivery.is_repeated(),
        };
        let object = attempts.run().await?;
        info!(target: CHUNKS, chunk = %id.chunk, object = key, bytes = chunk.size, already_there = object.already_there, "uploaded");
        let bucket = self.bucket.inner();
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
        let message_id =
            message_id::uploaded(delivery.message_id.as_deref().unwrap_or(&event.object));
        let subject = self.subjects.uploaded(&id.chunk.camera);
        self.publisher
            .publish(subject, &message_id, &event)
            .await
            .map_err(|error| Fault::transient("announce upload").with_source(error))?;
        event.chunk.as_ref().map(metrics::uploaded);
        Ok(())
    }

    async fn store_run_state(&self, state: &RunState) -> Result<(), Fault> {
        let key = run_state_key(state)
            .map_err(|error| Fault::rejected("name run state").with_source(error))?;
        let json = run_state::json(state);
        let attempts = UploadAttempts {
            bucket: &self.bucket,
            spools: &self.spools,
            key: &key,
            size: json.len() as u64,
            checksums: Checksums::new(&json),
            metadata: Metadata::new(),
            source: ByteSource::Memory(json),
            look_up_first: false,
        };
        match attempts.run().await {
            // Another version may have written the same run in other words. The first one stays.
            Err(fault) if *fault.kind() == Kind::Conflict => warn!(
                object = key,
                hint = "find the writer of this key, unless another version of crispy wrote it",
                "run state differs from the stored one"
            ),
            stored => {
                let already_there = stored?.already_there;
                info!(
                    site = state.site,
                    camera = state.camera,
                    run = state.run,
                    object = key,
                    already_there,
                    "run state stored"
                );
            }
        }
        Ok(())
    }
}
