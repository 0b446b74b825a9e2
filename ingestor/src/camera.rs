//! One camera: from the first look at its source to the end of its last run.
//!
//! Video is read on a thread of its own, for FFmpeg blocks. Opening is apart from recording, so that everything that can be wrong with
//! any source is known before the first chunk of any other is committed.

use crispy_media::{Chunks, ReadError, StopFlag};
use crispy_proto::{
    id::{CameraId, Name},
    v1,
};
use crispy_runtime::{Failed, Redacted, cameras::CameraSource, cut::CutFlags, now_us};
use tracing::{info, warn};

use crate::{
    describe::{self, WallClock},
    handoff::{Handoff, HandoffError},
    open_run::OpenRun,
    opened::{self, Opened},
    run_identity::FileIdentity,
};

/// A camera whose source has been opened.
pub struct Camera {
    /// Which camera it is.
    pub id: CameraId,
    location: String,
    chunks: Chunks,
    identity: FileIdentity,
}

/// How a recording ended, where nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The source had no more; every run of it is closed.
    AtItsEnd,
    /// The ingestor was told to stop. The run stays open: the same file sent again continues it.
    Stopped,
}

/// Why a recording could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The source.
    #[error("read camera {camera}")]
    Read {
        /// Whose source.
        camera: CameraId,
        /// What went wrong.
        source: ReadError,
    },
    /// The spool.
    #[error("keep a chunk of camera {camera}")]
    Keep {
        /// Whose chunk.
        camera: CameraId,
        /// What went wrong.
        source: HandoffError,
    },
    /// It ended without a single picture that could be kept.
    #[error("camera {camera} ended without a chunk: there was no key frame to begin with")]
    Nothing {
        /// Whose source.
        camera: CameraId,
    },
}

impl Camera {
    /// Opens a camera's source. Blocks.
    pub fn open(
        source: &CameraSource,
        site: &Name,
        cut: &CutFlags,
        stop: &StopFlag,
    ) -> Result<Self, Failed> {
        let id = CameraId {
            site: site.clone(),
            camera: source.name.clone(),
        };
        let opened = opened::open(&source.location, cut, stop).map_err(|failed| Failed {
            error: failed.error.context(format!("open camera {id}")),
            ..failed
        })?;
        let Opened { chunks, mark } = opened;
        let identity = FileIdentity::new(
            &mark,
            chunks.creation_time_us(),
            cut,
            &crispy_media::muxer_version(),
            now_us(),
        );
        if identity.origin == v1::ClockOrigin::Host {
            warn!(camera = %id.camera, "neither the video nor its server gives a date: its time is now, and sent again it will be stored again; to prevent that, give the file a date: a creation time, or the one that it had where it came from");
        }
        Ok(Self {
            id,
            location: source.location.clone(),
            chunks,
            identity,
        })
    }

    /// Cuts the source to its end and hands each chunk over. Blocks.
    pub fn record(mut self, handoff: &Handoff) -> Result<Ended, RecordError> {
        let mut current: Option<(u32, OpenRun)> = None;
        loop {
            let chunk = match self.chunks.next_chunk() {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return self.at_its_end(current, handoff),
                Err(ReadError::Cancelled { .. }) => return Ok(Ended::Stopped),
                Err(source) => return Err(self.lost(current, handoff, source)),
            };
            if current
                .as_ref()
                .is_none_or(|(index, _)| *index != chunk.cut.run)
            {
                let next = self.begin(&chunk.cut, current.take(), handoff);
                current = Some((chunk.cut.run, next));
            }
            self.report_sound(chunk.audio_dropped);
            let Some((_, run)) = &mut current else {
                continue;
            };
            match handoff.keep(chunk, run) {
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
    fn begin(
        &self,
        cut: &crispy_media::CutFacts,
        before: Option<(u32, OpenRun)>,
        handoff: &Handoff,
    ) -> OpenRun {
        let gap = cut
            .gap_before
            .map(|ticks| cut.timebase.microseconds(ticks))
            .filter(|us| *us > 0);
        let start_us = match &before {
            None => self.identity.start_us,
            // A clock that was set back says nothing about the time that passed: the next run follows at once.
            Some((_, run)) => run.end_us() + gap.unwrap_or(0),
        };
        if let Some((_, run)) = before {
            handoff.end_run(run.end(v1::RunEnd::Discontinuity, "the source's timestamps jumped"));
        }
        let run = self.identity.run(cut.run, start_us);
        let wall = WallClock {
            start_us,
            origin: self.identity.origin,
        };
        let open = OpenRun::begin(self.id.clone(), run, wall, gap);
        let expected = self
            .chunks
            .expected_duration()
            .and_then(|length| i64::try_from(length.as_micros()).ok());
        handoff.start_run(
            &open,
            v1::camera_event::RunStarted {
                source: Redacted(&self.location).to_string(),
                expected_duration_us: expected,
                video: Some(describe::video(self.chunks.format())),
            },
        );
        open
    }

    /// Sound without pictures is left out, and that is said.
    fn report_sound(&self, dropped: u32) {
        if dropped > 0 {
            info!(site = %self.id.site, camera = %self.id.camera, packets = dropped, "sound that no picture goes with was left out");
        }
    }

    fn at_its_end(
        self,
        current: Option<(u32, OpenRun)>,
        handoff: &Handoff,
    ) -> Result<Ended, RecordError> {
        self.report_sound(self.chunks.audio_dropped());
        let Some((_, run)) = current else {
            return Err(RecordError::Nothing { camera: self.id });
        };
        handoff.end_run(run.end(v1::RunEnd::SourceEnded, "the source ended"));
        Ok(Ended::AtItsEnd)
    }

    fn lost(
        self,
        current: Option<(u32, OpenRun)>,
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
