//! What this session knows of its cameras, and whether it is over. Pure: it learns from the streams like any other reader.
//!
//! ```text
//!   RunStarted ─► a run of ours ─► ChunkInspected … ─► RunEnded: n chunks ─► all n inspected? ─► over
//! ```
//!
//! Only what happened since the session began counts: that a chunk was inspected yesterday does not prove that it is in the bucket today.
//! The exception is what an earlier session left in the spool: once the ingestor has an answer for every chunk, an inspection from before is
//! as good as one from now, and may be the only one that there will be.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use crispy_proto::{
    id::{ChunkId, Name, Run},
    v1::{
        CameraEvent, ChunkInspected, ChunkReady, ChunkUploaded, DeadLetter, RunEnd, RunState,
        camera_event::Kind,
    },
};
use prost::Message;

use crate::trace::{TraceId, of_traceparent};

/// Inspections that are kept for a run whose start has not been heard of: on a server that others use too, it may never be.
const MOST_EARLY: usize = 10_000;

/// The cameras of one `crispy up`.
#[derive(Debug)]
pub(super) struct Session {
    cameras: BTreeMap<Name, Camera>,
    /// The URL of the bucket that counts: what another one holds is another session's.
    bucket: String,
    /// How long each chunk took from its commit to its inspection, microseconds.
    latencies_us: Vec<i64>,
    totals: Totals,
    dead: Vec<String>,
    /// The trace of the first chunk that was given up, or is not what it should be.
    failed_trace: Option<TraceId>,
}

/// One camera, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Camera {
    runs: BTreeMap<Run, Chunks>,
    /// Inspections of runs whose start we have not heard of yet: streams are read side by side.
    early: Vec<(ChunkId, ChunkInspected)>,
    /// What its container claims to be its length, in microseconds.
    pub expected_us: Option<i64>,
    /// Video inspected, in microseconds.
    pub inspected_us: i64,
    /// Chunks inspected.
    pub chunks: u64,
    /// Its source has no more.
    ended: bool,
    /// Why its source could not be read to its end.
    lost: Option<String>,
}

#[derive(Debug, Default)]
struct Chunks {
    /// Whether each agreed with its descriptor.
    inspected: BTreeMap<u64, bool>,
    /// Those that a stage gave up.
    given_up: BTreeSet<u64>,
    /// How many there are, once the run has ended.
    of: Option<u64>,
}

/// What all cameras add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Totals {
    /// Chunks inspected.
    pub chunks: u64,
    /// Of those, chunks whose bytes the bucket had already.
    pub already_there: u64,
    /// Chunks that disagree with their descriptor.
    pub disagreeing: u64,
    /// Pictures in them.
    pub frames: u64,
    /// Length of them, in microseconds.
    pub video_us: i64,
    /// Bytes of them.
    pub bytes: u64,
}

/// Why a session is no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shortfall {
    /// Chunks that are not what their descriptors say.
    Disagreeing(u64),
    /// Work that was given up, with the reasons.
    Dead(Vec<String>),
    /// A source that could not be read to its end.
    Lost(Vec<String>),
    /// Cameras with chunks that have not been inspected, or that have not ended.
    Incomplete(Vec<String>),
}

impl Session {
    /// A session that has heard nothing yet, of objects in `bucket`.
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
            dead: Vec::new(),
            failed_trace: None,
        }
    }

    /// Takes a camera's event into account. Returns inspections that came before their run's start, and count now.
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

    /// Takes an inspection into account. True if it is one of ours, heard for the first time.
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
            // Of a camera that has ended all runs are known: this one is another session's.
            if !camera.ended && camera.early.len() < MOST_EARLY {
                camera.early.push((id, inspected.clone()));
            }
            return false;
        }
        self.count(&id, inspected)
    }

    /// Work of one of our cameras was given up: its chunk is not waited for.
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
                .given_up
                .insert(id.sequence);
            self.dead.push(format!("{id}: {}", letter.reason));
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
            let trace = || Some(of_traceparent(&chunk.traceparent)?.0);
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

    /// The cameras by name.
    pub(super) fn cameras(&self) -> impl Iterator<Item = (&Name, &Camera)> {
        self.cameras.iter()
    }

    /// What all cameras add up to.
    pub(super) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The time from commit to inspection that `percent` of the chunks did not exceed, in microseconds (nearest rank).
    pub(super) fn latency_us(&self, percent: usize) -> Option<i64> {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    }

    /// A run of which something was inspected.
    pub(super) fn inspected_run(&self) -> Option<(&Name, Run)> {
        self.cameras.iter().find_map(|(name, camera)| {
            let mut runs = camera.runs.iter();
            let (run, _) = runs.find(|(_, chunks)| !chunks.inspected.is_empty())?;
            Some((name, *run))
        })
    }

    /// The trace of a chunk that was given up or is not what it should be, if there is one.
    pub(super) fn failed_trace(&self) -> Option<&TraceId> {
        self.failed_trace.as_ref()
    }

    /// Whether every camera has ended: no run begins any more.
    pub(super) fn has_ended(&self) -> bool {
        self.cameras.values().all(|camera| camera.ended)
    }

    /// Whether nothing more is to come: every camera has ended and all its chunks are inspected.
    pub(super) fn is_over(&self) -> bool {
        self.cameras
            .values()
            .all(|camera| camera.ended && camera.missing() == 0)
    }

    /// Whether all that has begun has come to its end: every run that was heard of has ended, and all its chunks are inspected.
    pub(super) fn is_settled(&self) -> bool {
        let mut runs = self
            .cameras
            .values()
            .flat_map(|camera| camera.runs.values());
        let ended = runs.all(|chunks| chunks.of.is_some());
        ended && self.cameras.values().all(|camera| camera.missing() == 0)
    }

    /// Why this is no success, the worst first; `None` if it is one.
    pub(super) fn shortfall(&self) -> Option<Shortfall> {
        if self.totals.disagreeing > 0 {
            return Some(Shortfall::Disagreeing(self.totals.disagreeing));
        }
        if !self.dead.is_empty() {
            return Some(Shortfall::Dead(self.dead.clone()));
        }
        let said = |say: &dyn Fn(&Camera) -> Option<String>| -> Vec<String> {
            let cameras = self.cameras.iter();
            cameras
                .filter_map(|(name, camera)| say(camera).map(|said| format!("{name}: {said}")))
                .collect()
        };
        let lost = said(&|camera| camera.lost.clone());
        if !lost.is_empty() {
            return Some(Shortfall::Lost(lost));
        }
        let incomplete = said(&Camera::incomplete);
        (!incomplete.is_empty()).then_some(Shortfall::Incomplete(incomplete))
    }
}

impl Camera {
    fn run_ended(&mut self, run: Run, state: &RunState) {
        self.runs.entry(run).or_default().of = Some(state.next_sequence);
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

    /// Chunks of runs that have ended which are neither inspected nor given up.
    fn missing(&self) -> u64 {
        let missing = |chunks: &Chunks| {
            let settled = chunks
                .inspected
                .keys()
                .chain(
                    chunks
                        .given_up
                        .difference(&chunks.inspected.keys().copied().collect()),
                )
                .count();
            chunks.of.unwrap_or(0).saturating_sub(settled as u64)
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
        if let Some((run, _)) = self.runs.iter().find(|(_, chunks)| chunks.of.is_none()) {
            return Some(format!(
                "run {run} never ended: did the file change while it was read?"
            ));
        }
        let missing = self.missing();
        (missing > 0).then(|| format!("{missing} chunks are not inspected"))
    }
}

/// The chunk that a dead letter is about: every stage's messages carry its descriptor.
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
