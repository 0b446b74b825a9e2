//! Spool first, then publish: the moment from which a chunk is never lost.
//!
//! ```text
//!   chunk ── hash ── below the limit? ── describe ── commit (fsync) ── outbox
//!                        │ no: a file waits              │ disk full: a file waits
//!                        └ stop: the chunk is given up   └ from here on nothing loses it
//! ```

use std::sync::Arc;

use crispy_checksum::Checksums;
use crispy_fault::Fault;
use crispy_media::Chunk;
use crispy_proto::{id::ChunkId, v1};
use crispy_runtime::{logging::CHUNKS, now_us};
use crispy_spool::{Committed, Descriptor, Limit, Spool};
use crispy_telemetry::context::{self, Remote};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{Span, field::Empty, info, info_span};

use crate::{
    camera::{
        disk_full,
        run::CurrentRun,
        status::{CameraStatus, Wait},
    },
    describe::{self, describe},
    metrics,
};

/// A message from a camera to the outbox.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A committed chunk, to be published until it is answered.
    Chunk(ChunkId, Box<Descriptor>),
    /// A finished run, to be published once.
    Run(Box<v1::RunState>),
    /// A camera's event, to be published once.
    Event(Box<v1::CameraEvent>),
}

/// A chunk that was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandoffError {
    /// The stop came while the spool or its disk was full, or ended the outbox. The source still
    /// has the chunk.
    #[error("stopped before the chunk was committed")]
    Stopped,
    /// The spool refused it.
    #[error("commit chunk {chunk}")]
    Commit { chunk: ChunkId, source: Box<Fault> },
}

/// The way from a camera's thread into spool and outbox. Cloned for each camera.
#[derive(Clone)]
pub(crate) struct Handoff {
    pub(crate) spool: Arc<Spool>,
    /// Bytes that the spool may hold.
    pub(crate) limit: u64,
    pub(crate) outbox: mpsc::Sender<Outgoing>,
    /// This process.
    pub(crate) producer: v1::Producer,
    pub(crate) status: CameraStatus,
    /// Ends the wait for space.
    pub(crate) stop: CancellationToken,
}

impl Handoff {
    /// Commits a chunk and counts it in its run. Blocks while the spool or its disk is full.
    ///
    /// A chunk's trace begins here, at the cut: a span that began with its window would show 3 s of
    /// filming as work. The filmed interval is in the span's `from` and `duration`. A chunk that an
    /// earlier process has committed continues in the trace that it has.
    pub(crate) fn commit_and_queue(
        &self,
        chunk: Chunk,
        run: &mut CurrentRun,
    ) -> Result<(), HandoffError> {
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
            let cut = [("traceparent", earlier.chunk.traceparent.as_str())];
            Remote::from_headers(cut).continue_in(&span);
        }
        span.in_scope(|| context::record_error(self.commit(id, &chunk, run)))
    }

    fn commit(&self, id: ChunkId, chunk: &Chunk, run: &mut CurrentRun) -> Result<(), HandoffError> {
        let checksums = Checksums::new(&chunk.bytes);
        let limit = Limit { bytes: self.limit };
        let camera = id.camera.camera.as_str();
        let reserved = self.status.waiting(camera, Wait::SpoolLimit, || {
            self.spool
                .reserve(limit, chunk.bytes.len() as u64, || self.stop.is_cancelled())
        });
        let reserved = reserved.ok_or(HandoffError::Stopped)?;
        let descriptor = describe(
            chunk,
            &checksums,
            describe::Context {
                id: id.clone(),
                wall: run.wall(),
                gap_before_us: run.gap_before_us(),
                previous_sha256: run.previous_sha256(),
                spool_id: self.spool.id().to_string(),
                producer: self.producer.clone(),
                now_us: now_us(),
                traceparent: context::traceparent(),
            },
        );
        record_span(&descriptor);
        let committed = self.status.waiting(camera, Wait::Disk, || {
            disk_full::retry_while_full(
                || self.spool.bytes_held(),
                || self.stop.is_cancelled(),
                || self.spool.commit(&descriptor, &chunk.bytes),
            )
        });
        let committed = committed.ok_or(HandoffError::Stopped)?;
        let committed = committed.map_err(|fault| HandoffError::Commit {
            chunk: id.clone(),
            source: Box::new(fault),
        })?;
        drop(reserved);
        run.add(&descriptor);
        self.status.committed(camera);
        // A chunk of an earlier process is in the outbox since the start, with its own descriptor.
        let fresh = committed.is_fresh();
        Span::current().record("outcome", if fresh { "committed" } else { "already_there" });
        info!(target: CHUNKS, chunk = %id, bytes = descriptor.size, already_there = !fresh, "cut");
        if let Committed::Fresh(encoded) = committed {
            metrics::count_chunk(run.state(), &descriptor);
            let chunk = descriptor;
            self.send(Outgoing::Chunk(id, Box::new(Descriptor { chunk, encoded })))?;
        }
        Ok(())
    }

    /// Announces the start of a run.
    pub(crate) fn start_run(&self, run: &CurrentRun, started: v1::camera_event::RunStarted) {
        metrics::count_run(run);
        self.event(
            run.state(),
            v1::camera_event::Kind::RunStarted(started),
            String::new(),
        );
    }

    /// Announces the end of a run, for the bucket too.
    pub(crate) fn end_run(&self, state: v1::RunState) {
        let state = v1::RunState {
            written_us: now_us(),
            producer: Some(self.producer.clone()),
            ..state
        };
        // Without an outbox there was a stop: the run goes on at the next start.
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

    /// Waits while the channel is full, until the outbox takes the message or closes it.
    fn send(&self, outgoing: Outgoing) -> Result<(), HandoffError> {
        self.outbox
            .blocking_send(outgoing)
            .map_err(|_| HandoffError::Stopped)
    }
}

/// Adds the filmed interval to the span: its start (RFC 3339) and its length in seconds.
fn record_span(chunk: &v1::ChunkReady) {
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

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;

    fn handoff(capacity: usize) -> (Handoff, mpsc::Receiver<Outgoing>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let (outbox, receiver) = mpsc::channel(capacity);
        let handoff = Handoff {
            spool: Arc::new(Spool::open(folder.path()).unwrap()),
            limit: u64::MAX,
            outbox,
            producer: v1::Producer::default(),
            status: CameraStatus::default(),
            stop: CancellationToken::new(),
        };
        (handoff, receiver, folder)
    }

    /// Two messages each: the run and its event.
    fn end_runs(handoff: Handoff, count: u64) {
        for next_sequence in 0..count {
            handoff.end_run(v1::RunState {
                next_sequence,
                ..Default::default()
            });
        }
    }

    #[test]
    fn a_full_channel_makes_the_camera_wait_and_loses_nothing() {
        let (handoff, mut receiver, _folder) = handoff(1);
        let camera = thread::spawn(move || end_runs(handoff, 20));
        thread::sleep(Duration::from_millis(20));
        assert!(!camera.is_finished(), "it wrote more than fits");
        let mut runs = Vec::new();
        while let Some(outgoing) = receiver.blocking_recv() {
            if let Outgoing::Run(state) = outgoing {
                runs.push(state.next_sequence);
            }
        }
        camera.join().unwrap();
        assert_eq!(runs, Vec::from_iter(0..20));
    }

    #[test]
    fn the_end_of_the_outbox_releases_a_waiting_camera() {
        let (handoff, receiver, _folder) = handoff(1);
        let camera = thread::spawn(move || end_runs(handoff, 20));
        thread::sleep(Duration::from_millis(20));
        assert!(!camera.is_finished(), "it wrote more than fits");
        drop(receiver);
        camera.join().unwrap();
    }
}
