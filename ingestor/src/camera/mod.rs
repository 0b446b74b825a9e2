//! One camera, from the opening of its source to the end of its last run.
//!
//! ```text
//!   open ─► Camera ─► record: chunk by chunk ─► Handoff
//!                     run: name, sequence and chain of the current run
//!                     status: recorded, waiting, ended, lost; for metrics and readiness
//!                     disk_full: the wait for a full disk
//! ```
//!
//! Video is read on a thread of its own, because FFmpeg blocks. Opening is apart from recording, so
//! that everything that can be wrong with any source is known before the first chunk of any other
//! is committed.

pub(crate) mod disk_full;
pub(crate) mod run;
pub(crate) mod status;

use crispy_media::{Chunks, ReadError, StopFlag};
use crispy_proto::{
    id::{CameraId, Name},
    v1,
};
use crispy_runtime::{Failed, Redacted, cameras::CameraSource, cut::CutFlags};
use crispy_source::{OpenSource, RunIdentity, WallClock};
use tracing::{info, warn};

use crate::{
    describe,
    handoff::{Handoff, HandoffError},
    open::open,
};
use run::CurrentRun;

/// A camera with an open source.
pub(crate) struct Camera {
    /// Its name.
    pub(crate) id: CameraId,
    location: String,
    chunks: Chunks,
    identity: RunIdentity,
}

/// The end of a recording without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The source had no more; each of its runs is closed.
    AtItsEnd,
    /// The ingestor was stopped. The run stays open: the same file ingested again continues it.
    Stopped,
}

/// A recording that could not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The source failed.
    #[error("read camera {camera}")]
    Read { camera: CameraId, source: ReadError },
    /// The spool failed.
    #[error("keep a chunk of camera {camera}")]
    Keep {
        camera: CameraId,
        source: HandoffError,
    },
    /// It ended without a single picture that could be kept.
    #[error("camera {camera} ended without a chunk: there was no key frame to begin with")]
    Nothing { camera: CameraId },
}

impl Camera {
    /// Opens a camera's source. Blocks the calling thread.
    pub(crate) fn open(
        source: &CameraSource,
        site: &Name,
        cut: &CutFlags,
        stop: &StopFlag,
    ) -> Result<Self, Failed> {
        let id = CameraId {
            site: site.clone(),
            camera: source.name.clone(),
        };
        let opened = open(&source.location, cut, stop).map_err(|failed| Failed {
            error: failed.error.context(format!("open camera {id}")),
            ..failed
        })?;
        let OpenSource { chunks, identity } = opened;
        if identity.clock().origin == v1::ClockOrigin::Host {
            warn!(
                camera = %id.camera,
                hint = "re-ingesting it will create a second recording; set creation_time or \
                        keep its mtime",
                "source has no timestamp, using current time"
            );
        }
        Ok(Self {
            id,
            location: source.location.clone(),
            chunks,
            identity,
        })
    }

    /// Cuts the source to its end and hands each chunk over. Blocks the calling thread.
    pub(crate) fn record(mut self, handoff: &Handoff) -> Result<Ended, RecordError> {
        let mut current: Option<(u32, CurrentRun)> = None;
        loop {
            let chunk = match self.chunks.next_chunk() {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return self.finish(current, handoff),
                Err(ReadError::Cancelled { .. }) => return Ok(Ended::Stopped),
                Err(source) => return Err(self.fail(current, handoff, source)),
            };
            if current
                .as_ref()
                .is_none_or(|(index, _)| *index != chunk.cut.run)
            {
                let next = self.start_run(&chunk.cut, current.take(), handoff);
                current = Some((chunk.cut.run, next));
            }
            self.report_dropped_audio(chunk.audio_dropped);
            let Some((_, run)) = &mut current else {
                continue;
            };
            match handoff.commit_and_queue(chunk, run) {
                Ok(()) => {}
                Err(HandoffError::Stopped) => return Ok(Ended::Stopped),
                Err(source) => {
                    return Err(RecordError::Keep {
                        camera: self.id,
                        source,
                    });
                }
            }
        }
    }

    /// Starts a run, and closes the one before it: the timestamps jumped.
    fn start_run(
        &self,
        cut: &crispy_media::CutFacts,
        before: Option<(u32, CurrentRun)>,
        handoff: &Handoff,
    ) -> CurrentRun {
        let gap = cut
            .gap_before
            .map(|ticks| cut.timebase.microseconds(ticks))
            .filter(|us| *us > 0);
        let clock = self.identity.clock();
        let start_us = match &before {
            None => clock.start_us,
            // A clock that was set back tells nothing about the time that passed: the next run
            // follows at once.
            Some((_, run)) => run.end_us() + gap.unwrap_or(0),
        };
        if let Some((_, run)) = before {
            handoff.end_run(run.end(v1::RunEnd::Discontinuity, "the source's timestamps jumped"));
        }
        let run = CurrentRun::new(
            self.id.clone(),
            self.identity.run(cut.run, start_us),
            WallClock { start_us, ..clock },
            gap,
        );
        let expected = self
            .chunks
            .expected_duration()
            .and_then(|length| i64::try_from(length.as_micros()).ok());
        handoff.start_run(
            &run,
            v1::camera_event::RunStarted {
                source: Redacted(&self.location).to_string(),
                expected_duration_us: expected,
                video: Some(describe::video(self.chunks.format())),
            },
        );
        run
    }

    /// Audio outside the time of any picture is left out, with a line in the log.
    fn report_dropped_audio(&self, packets: u32) {
        if packets > 0 {
            info!(site = %self.id.site, camera = %self.id.camera, packets, "audio without pictures dropped");
        }
    }

    fn finish(
        self,
        current: Option<(u32, CurrentRun)>,
        handoff: &Handoff,
    ) -> Result<Ended, RecordError> {
        self.report_dropped_audio(self.chunks.audio_dropped());
        let Some((_, run)) = current else {
            return Err(RecordError::Nothing { camera: self.id });
        };
        handoff.end_run(run.end(v1::RunEnd::SourceEnded, "the source ended"));
        Ok(Ended::AtItsEnd)
    }

    fn fail(
        self,
        current: Option<(u32, CurrentRun)>,
        handoff: &Handoff,
        source: ReadError,
    ) -> RecordError {
        if let Some((_, run)) = current {
            handoff.end_run(run.end(v1::RunEnd::Lost, &source.to_string()));
        }
        RecordError::Read {
            camera: self.id,
            source,
        }
    }
}
