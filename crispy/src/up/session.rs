//! State of a session: its cameras, runs and chunks, and whether it is complete. Pure.
//!
//! ```text
//!   RunStarted ─► our run ─► ChunkInspected … ─► RunEnded: n chunks ─► n inspected? ─► complete
//! ```
//!
//! Only inspections since the session's start count: one of yesterday does not prove that the chunk
//! is in the bucket today. The exception is a chunk that an earlier session left in the spool: once
//! the ingestor has a confirmation for every chunk, an earlier inspection is as good as a new one,
//! and may be the only one that there will be.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use crispy_proto::{
    id::{ChunkId, Name, Run},
    v1::{
        CameraEvent, ChunkInspected, ChunkReady, ChunkUploaded, DeadLetter, RunEnd, RunState,
        camera_event::Kind,
    },
};
use prost::Message;

use crate::trace::{TraceId, parse_traceparent};

/// Limit of inspections kept for runs whose start has not arrived: on a shared server it may never
/// arrive.
const MAX_EARLY: usize = 10_000;

/// The cameras of one `crispy up`.
#[derive(Debug)]
pub(super) struct Session {
    cameras: BTreeMap<Name, Camera>,
    /// URL of this session's bucket: objects in another one belong to another session.
    bucket: String,
    /// Time of each chunk from its commit to its inspection, in microseconds.
    latencies_us: Vec<i64>,
    totals: Totals,
    dead_letters: Vec<String>,
    /// The trace of the first chunk that was dead-lettered or disagrees.
    failed_trace: Option<TraceId>,
}

/// Progress of one camera.
#[derive(Debug, Default)]
pub(super) struct Camera {
    runs: BTreeMap<Run, Chunks>,
    /// Inspections of runs whose start has not arrived: streams are read concurrently.
    early: Vec<(ChunkId, ChunkInspected)>,
    /// Duration by its container, in microseconds.
    pub expected_us: Option<i64>,
    /// Inspected video, in microseconds.
    pub inspected_us: i64,
    /// Inspected chunks.
    pub chunks: u64,
    /// Its source has ended.
    ended: bool,
    /// Reason why its source was not read to its end.
    lost: Option<String>,
}

/// Chunks of one run, by sequence.
#[derive(Debug, Default)]
struct Chunks {
    /// Inspected chunks: whether each agreed with its descriptor.
    inspected: BTreeMap<u64, bool>,
    /// Dead-lettered chunks.
    dead: BTreeSet<u64>,
    /// Their number, once the run has ended.
    total: Option<u64>,
}

/// Totals of all cameras.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Totals {
    /// Inspected chunks.
    pub chunks: u64,
    /// Chunks of these that were already in the bucket.
    pub already_there: u64,
    /// Chunks of these that disagree with their descriptors.
    pub disagreeing: u64,
    /// Their frames.
    pub frames: u64,
    /// Their duration, in microseconds.
    pub video_us: i64,
    /// Their bytes.
    pub bytes: u64,
}

/// Reason why a session is not a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shortfall {
    /// Number of chunks that disagree with their descriptors.
    Disagreeing(u64),
    /// Dead letters, each with its chunk and reason.
    DeadLetters(Vec<String>),
    /// Cameras whose source was not read to its end, with the reasons.
    Lost(Vec<String>),
    /// Cameras that have not ended or have chunks without inspection.
    Incomplete(Vec<String>),
}

impl Session {
    /// A new session whose objects are in `bucket`.
    pub(super) fn new(cameras: impl IntoIterator<Item = Name>, bucket: String) -> Self {
        let cameras = cameras
            .into_iter()
            .map(|name| (name, Camera::default()))
            .collect();
        Self {
            cameras,
            bucket,
            latencies_us: Vec::new(),
            totals: Totals::default(),
            dead_letters: Vec::new(),
            failed_trace: None,
        }
    }

    /// Handles a camera's event. Returns inspections that arrived before their run's start, and
    /// count now.
    pub(super) fn event(&mut self, event: &CameraEvent) -> Vec<ChunkInspected> {
        let (Some(name), Ok(run)) = (self.name(&event.camera), event.run.parse::<Run>()) else {
            return Vec::new();
        };
        let Some(camera) = self.cameras.get_mut(&name) else {
            return Vec::new();
        };
        match &event.kind {
            Some(Kind::RunStarted(started)) => {
                camera.runs.entry(run).or_default();
                camera.expected_us = camera.expected_us.or(started.expected_duration_us);
                let (ours, others) = std::mem::take(&mut camera.early)
                    .into_iter()
                    .partition(|(id, _)| id.run == run);
                camera.early = others;
                let ours: Vec<(ChunkId, ChunkInspected)> = ours;
                ours.into_iter()
                    .filter(|(id, inspected)| self.count(id, inspected))
                    .map(|(_, inspected)| inspected)
                    .collect()
            }
            Some(Kind::RunEnded(state)) => {
                camera.run_ended(run, state);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Handles an inspection. True if it is the first of a chunk of this session.
    pub(super) fn inspected(&mut self, inspected: &ChunkInspected) -> bool {
        let upload = inspected.upload.as_ref();
        if upload.is_some_and(|upload| upload.bucket != self.bucket) {
            return false;
        }
        let chunk = upload.and_then(|upload| upload.chunk.as_ref());
        let Some(Ok(id)) = chunk.map(|chunk| ChunkId::from_wire(chunk.id.as_ref())) else {
            return false;
        };
        let Some(camera) = self.cameras.get_mut(&id.camera.camera) else {
            return false;
        };
        if !camera.runs.contains_key(&id.run) {
            // All runs of an ended camera are known: this one is another session's.
            if !camera.ended && camera.early.len() < MAX_EARLY {
                camera.early.push((id, inspected.clone()));
            }
            return false;
        }
        self.count(&id, inspected)
    }

    /// Handles a dead letter: its chunk is no longer waited for.
    pub(super) fn dead_letter(&mut self, letter: &DeadLetter) {
        let id = chunk_of(letter);
        let camera = id
            .as_ref()
            .and_then(|id| self.cameras.get_mut(&id.camera.camera));
        if let (Some(id), Some(camera)) = (id, camera) {
            camera
                .runs
                .entry(id.run)
                .or_default()
                .dead
                .insert(id.sequence);
            self.dead_letters.push(format!("{id}: {}", letter.reason));
            let trace = || crispy_queue::trace_id(letter)?.parse().ok();
            self.failed_trace = self.failed_trace.take().or_else(trace);
        }
    }

    fn count(&mut self, id: &ChunkId, inspected: &ChunkInspected) -> bool {
        let Some(camera) = self.cameras.get_mut(&id.camera.camera) else {
            return false;
        };
        let chunks = camera.runs.entry(id.run).or_default();
        let Entry::Vacant(place) = chunks.inspected.entry(id.sequence) else {
            return false;
        };
        place.insert(inspected.agrees);
        let upload = inspected.upload.clone().unwrap_or_default();
        let chunk = upload.chunk.unwrap_or_default();
        if !inspected.agrees {
            let trace = || Some(parse_traceparent(&chunk.traceparent)?.0);
            self.failed_trace = self.failed_trace.take().or_else(trace);
        }
        camera.chunks += 1;
        camera.inspected_us += chunk.duration_us;
        self.latencies_us
            .push(inspected.inspected_us - chunk.committed_us);
        self.totals.chunks += 1;
        self.totals.already_there += u64::from(upload.already_there);
        self.totals.disagreeing += u64::from(!inspected.agrees);
        self.totals.frames += chunk.frames;
        self.totals.video_us += chunk.duration_us;
        self.totals.bytes += chunk.size;
        true
    }

    fn name(&self, camera: &str) -> Option<Name> {
        camera
            .parse()
            .ok()
            .filter(|name| self.cameras.contains_key(name))
    }

    /// The cameras, by name.
    pub(super) fn cameras(&self) -> impl Iterator<Item = (&Name, &Camera)> {
        self.cameras.iter()
    }

    /// Totals of all cameras.
    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// A percentile of the time from commit to inspection, in microseconds (nearest rank).
    pub(super) fn latency_us(&self, percent: usize) -> Option<i64> {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }

    /// A run with an inspected chunk.
    pub(super) fn inspected_run(&self) -> Option<(&Name, Run)> {
        self.cameras.iter().find_map(|(name, camera)| {
            let mut runs = camera.runs.iter();
            let (run, _) = runs.find(|(_, chunks)| !chunks.inspected.is_empty())?;
            Some((name, *run))
        })
    }

    /// The trace of the first chunk that was dead-lettered or disagrees.
    pub(super) fn failed_trace(&self) -> Option<&TraceId> {
        self.failed_trace.as_ref()
    }

    /// Whether every camera has ended, so that no more runs begin.
    pub(super) fn has_ended(&self) -> bool {
        self.cameras.values().all(|camera| camera.ended)
    }

    /// Whether every camera has ended and no chunk is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.cameras
            .values()
            .all(|camera| camera.ended && camera.missing() == 0)
    }

    /// Whether every known run has ended and no chunk is missing.
    pub(super) fn is_settled(&self) -> bool {
        let mut runs = self
            .cameras
            .values()
            .flat_map(|camera| camera.runs.values());
        let ended = runs.all(|chunks| chunks.total.is_some());
        ended && self.cameras.values().all(|camera| camera.missing() == 0)
    }

    /// The worst reason why this is not a success; `None` if it is one.
    pub(super) fn shortfall(&self) -> Option<Shortfall> {
        if self.totals.disagreeing > 0 {
            return Some(Shortfall::Disagreeing(self.totals.disagreeing));
        }
        if !self.dead_letters.is_empty() {
            return Some(Shortfall::DeadLetters(self.dead_letters.clone()));
        }
        let reasons = |reason: &dyn Fn(&Camera) -> Option<String>| -> Vec<String> {
            let cameras = self.cameras.iter();
            cameras
                .filter_map(|(name, camera)| Some(format!("{name}: {}", reason(camera)?)))
                .collect()
        };
        let lost = reasons(&|camera| camera.lost.clone());
        if !lost.is_empty() {
            return Some(Shortfall::Lost(lost));
        }
        let incomplete = reasons(&Camera::incomplete);
        (!incomplete.is_empty()).then_some(Shortfall::Incomplete(incomplete))
    }
}

impl Camera {
    fn run_ended(&mut self, run: Run, state: &RunState) {
        self.runs.entry(run).or_default().total = Some(state.next_sequence);
        match state.end() {
            RunEnd::SourceEnded => self.ended = true,
            RunEnd::Lost => {
                self.ended = true;
                self.lost = Some(state.detail.clone());
            }
            // Another run follows.
            RunEnd::Discontinuity | RunEnd::Stopped | RunEnd::Unspecified => {}
        }
    }

    /// Number of chunks of ended runs that are neither inspected nor dead-lettered.
    fn missing(&self) -> u64 {
        let missing = |chunks: &Chunks| {
            let is_not_inspected = |sequence: &&u64| !chunks.inspected.contains_key(sequence);
            let dead = chunks.dead.iter().filter(is_not_inspected).count();
            let settled = chunks.inspected.len() + dead;
            chunks.total.unwrap_or(0).saturating_sub(settled as u64)
        };
        self.runs.values().map(missing).sum()
    }

    fn incomplete(&self) -> Option<String> {
        if !self.ended {
            return Some(format!(
                "stopped before its end, {} chunks inspected",
                self.chunks
            ));
        }
        if let Some((run, _)) = self.runs.iter().find(|(_, chunks)| chunks.total.is_none()) {
            return Some(format!(
                "run {run} did not end: did the file change while it was read?"
            ));
        }
        let missing = self.missing();
        (missing > 0).then(|| format!("{missing} chunks are not inspected"))
    }
}

/// The chunk of a dead letter: the messages of every stage carry its descriptor.
fn chunk_of(letter: &DeadLetter) -> Option<ChunkId> {
    let payload = letter.payload.as_slice();
    let chunk = match letter.stage.as_str() {
        "inspector" => ChunkUploaded::decode(payload).ok()?.chunk?,
        _ => ChunkReady::decode(payload).ok()?,
    };
    ChunkId::from_wire(chunk.id.as_ref()).ok()
}

#[cfg(test)]
mod tests;
