//! Spool first, then publish: the moment a chunk becomes a promise.
//!
//! ```text
//!   chunk ── hash ── room in the spool? ── describe ── commit (fsync) ── outbox
//!                        │ no: a file waits                │ disk full: a file waits
//!                        └─ stop: the chunk is given up    └─ from here on nothing loses it
//! ```

use std::sync::Arc;

use crispy_checksum::Checksums;
use crispy_media::Chunk;
use crispy_proto::{id::ChunkId, v1};
use crispy_runtime::{logging::CHUNKS, now_us};
use crispy_spool::{CommitError, Committed, Limit, Spool};
use crispy_telemetry::context::{self, Remote};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{Span, field::Empty, info, info_span};

use crate::{
    describe::{self, describe},
    full_disk, measured,
    open_run::OpenRun,
    signs::{Signs, Wait},
};

/// What the outbox is told.
#[derive(Debug)]
pub enum Outgoing {
    /// A chunk is committed: to be published until it is answered.
    Chunk(ChunkId, Box<v1::ChunkReady>),
    /// A run is over: to be published once.
    Run(Box<v1::RunState>),
    /// Something happened: to be published once.
    Event(Box<v1::CameraEvent>),
}

/// Why a chunk was not kept.
#[derive(Debug, thiserror::Error)]
pub enum HandoffError {
    /// The spool or its disk was full, or the outbox gone, when the ingestor was told to stop. The file has the chunk still.
    #[error("stopped before the chunk was committed")]
    Stopped,
    /// The spool refused it.
    #[error("commit chunk {chunk}")]
    Commit {
        /// Which chunk.
        chunk: ChunkId,
        /// What went wrong.
        source: CommitError,
    },
}

/// The way from a camera's thread into spool and outbox. Cloned for each camera.
#[derive(Clone)]
pub struct Handoff {
    /// Where bytes go.
    pub spool: Arc<Spool>,
    /// How many bytes it may hold.
    pub limit: u64,
    /// Where descriptors go.
    pub outbox: mpsc::UnboundedSender<Outgoing>,
    /// This process.
    pub producer: v1::Producer,
    /// How the cameras stand.
    pub signs: Signs,
    /// Ends the wait for room.
    pub stop: CancellationToken,
}

impl Handoff {
    /// Commits a chunk and counts it in its run. Blocks while the spool or its disk is full.
    ///
    /// A chunk's trace begins here, at the cut: a span that began with its window would call 3 s of filming work. What was filmed is in
    /// the span's `from` and `duration`. A chunk that an earlier process had committed goes on in the trace that it has.
    pub fn keep(&self, chunk: Chunk, run: &mut OpenRun) -> Result<(), HandoffError> {
        let id = run.next_id();
        let span = info_span!(
            parent: None,
            "cut chunk",
            site = id.camera.site.as_str(),
            camera = id.camera.camera.as_str(),
            run = %id.run,
            sequence = id.sequence,
            bytes = chunk.bytes.len(),
            from = Empty,
            duration = Empty,
            outcome = Empty,
        );
        if !span.is_disabled()
            && let Ok(Some(earlier)) = self.spool.descriptor(&id)
        {
            let cut = [("traceparent", earlier.traceparent.as_str())];
            Remote::from_headers(cut).continue_in(&span);
        }
        span.in_scope(|| context::record_error(self.commit(id, &chunk, run)))
    }

    fn commit(&self, id: ChunkId, chunk: &Chunk, run: &mut OpenRun) -> Result<(), HandoffError> {
        let checksums = Checksums::new(&chunk.bytes);
        let limit = Limit { bytes: self.limit };
        let camera = id.camera.camera.as_str();
        let room = self.signs.waiting(camera, Wait::Room, || {
            self.spool
                .wait_for_room(limit, chunk.bytes.len() as u64, || self.stop.is_cancelled())
        });
        let room = room.ok_or(HandoffError::Stopped)?;
        let descriptor = describe(
            chunk,
            &checksums,
            describe::Context {
                id: id.clone(),
                wall: run.wall,
                gap_before_us: run.gap_before_us(),
                previous_sha256: run.previous_sha256(),
                spool_id: self.spool.id().to_string(),
                producer: self.producer.clone(),
                now_us: now_us(),
                traceparent: context::traceparent(),
            },
        );
        say(&descriptor);
        let committed = self.signs.waiting(camera, Wait::Disk, || {
            full_disk::wait_out(
                || self.spool.bytes_held(),
                || self.stop.is_cancelled(),
                || self.spool.commit(&descriptor, &chunk.bytes),
            )
        });
        let committed = committed.ok_or(HandoffError::Stopped)?;
        let committed = committed.map_err(|source| HandoffError::Commit {
            chunk: id.clone(),
            source,
        })?;
        drop(room);
        run.add(&descriptor);
        self.signs.chunk(camera);
        // What an earlier process had committed is in the outbox since the start, under its own descriptor.
        let fresh = matches!(committed, Committed::Fresh);
        Span::current().record("outcome", if fresh { "committed" } else { "already_there" });
        info!(target: CHUNKS, chunk = %id, bytes = descriptor.size, already_there = !fresh, "cut");
        if fresh {
            measured::chunk(run.state(), &descriptor);
            self.send(Outgoing::Chunk(id, Box::new(descriptor)))?;
        }
        Ok(())
    }

    /// Tells the world that a run has begun.
    pub fn start_run(&self, run: &OpenRun, started: v1::camera_event::RunStarted) {
        measured::run(run);
        self.event(
            run.state(),
            v1::camera_event::Kind::RunStarted(started),
            String::new(),
        );
    }

    /// Tells the world, and the bucket, that a run is over.
    pub fn end_run(&self, state: v1::RunState) {
        let state = v1::RunState {
            written_us: now_us(),
            producer: Some(self.producer.clone()),
            ..state
        };
        // An outbox that is gone was told to stop: the run goes on at the next start.
        let _ = self.send(Outgoing::Run(Box::new(state.clone())));
        let detail = state.detail.clone();
        self.event(
            &state.clone(),
            v1::camera_event::Kind::RunEnded(state),
            detail,
        );
    }

    fn event(&self, run: &v1::RunState, kind: v1::camera_event::Kind, detail: String) {
        let _ = self.send(Outgoing::Event(Box::new(v1::CameraEvent {
            site: run.site.clone(),
            camera: run.camera.clone(),
            run: run.run.clone(),
            at_us: now_us(),
            producer: Some(self.producer.clone()),
            detail,
            kind: Some(kind),
        })));
    }

    fn send(&self, outgoing: Outgoing) -> Result<(), HandoffError> {
        self.outbox
            .send(outgoing)
            .map_err(|_| HandoffError::Stopped)
    }
}

/// What was filmed, for the span: since when, RFC 3339, and for how long, in seconds.
fn say(chunk: &v1::ChunkReady) {
    let span = Span::current();
    if span.is_disabled() {
        return;
    }
    let start_us = chunk.wall.unwrap_or_default().start_us;
    if let Ok(from) = Timestamp::from_microsecond(start_us) {
        span.record("from", format!("{from:.6}"));
    }
    span.record("duration", chunk.duration_us as f64 / 1e6);
}
