//! Source, cutter and muxer in one.

use std::time::Duration;

use crate::chunk::Chunk;
use crate::creation_time;
use crate::cutter::{Cut, Cutter, Limits};
use crate::error::{OpenError, ReadError};
use crate::ffi::Packet;
use crate::input::Input;
use crate::muxer;
use crate::source::Source;
use crate::spec::Spec;
use crate::video::{Container, VideoFormat};

/// The chunks of a source, in order.
///
/// Every packet of the source is in exactly one chunk or counted as lost by one; the same source, cut with the same
/// settings by the same [`muxer_version`](crate::muxer_version), gives the same bytes. Blocks: give each its own thread.
pub struct Chunks {
    container: Container,
    source: Source,
    cutter: Cutter<Packet>,
    over: bool,
    /// Why the source ended, until that is told.
    failure: Option<ReadError>,
    /// Chunks so far.
    given: u64,
}

impl Chunks {
    /// Opens a source and finds out everything that would make it useless, before the first chunk.
    pub fn open(spec: &Spec) -> Result<Chunks, OpenError> {
        Ok(Chunks::of(Source::open(spec)?, spec))
    }

    /// The same for what the caller fetches; the location is for messages only.
    pub fn open_input(spec: &Spec, input: Input) -> Result<Chunks, OpenError> {
        Ok(Chunks::of(Source::open_input(spec, input)?, spec))
    }

    fn of(source: Source, spec: &Spec) -> Chunks {
        let cutter = Cutter::new(source.pace(), spec.window, Limits::default());
        let container = spec.container_for(source.first_entry().format.codec);
        Chunks {
            container,
            source,
            cutter,
            over: false,
            failure: None,
            given: 0,
        }
    }

    /// What the pictures are at the start of the source.
    pub fn format(&self) -> &VideoFormat {
        &self.source.first_entry().format
    }

    /// How long the container claims to be. For progress bars only: claims are wrong.
    pub fn expected_duration(&self) -> Option<Duration> {
        self.source.expected_duration()
    }

    /// When the recording began, as the container says, in microseconds of Unix time; `None` if it says nothing, or
    /// nothing believable (cameras that do not know the time write 1904 or 1970).
    pub fn creation_time_us(&self) -> Option<i64> {
        creation_time::parse(&self.source.creation_time()?)
    }

    /// What kind of file chunks are.
    pub fn container(&self) -> Container {
        self.container
    }

    /// The codecs of its sound, by FFmpeg's names, one for each track.
    pub fn sound(&self) -> Vec<&'static str> {
        self.source.sound()
    }

    /// Packets that came before any key frame and are in no chunk's facts yet.
    pub(crate) fn lost(&self) -> u32 {
        self.cutter.lost()
    }

    /// The next chunk; `None` when the source has ended.
    ///
    /// When a live source fails or is stopped, what it gave until then comes first, as a last and shorter chunk, and then
    /// the error. A file that fails or is stopped gives no such chunk: it can be read again, and has to give the same ones.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, ReadError> {
        match self.next_cut()? {
            Some(cut) => self.write(cut).map(Some),
            None => Ok(None),
        }
    }

    /// The next chunk before it is written.
    pub(crate) fn next_cut(&mut self) -> Result<Option<Cut<Packet>>, ReadError> {
        loop {
            if let Some(cut) = self.cutter.pop() {
                self.given += 1;
                return Ok(Some(cut));
            }
            if self.over {
                return self.end().map(|()| None);
            }
            match self.source.next() {
                Ok(Some(sample)) => self.cutter.push(sample),
                Ok(None) => self.finish(),
                // what was read of a live source cannot be read again; a file can, and must then be cut the same way
                Err(failure) if self.source.is_live() => {
                    self.failure = Some(failure);
                    while let Some(sample) = self.source.held_back() {
                        self.cutter.push(sample);
                    }
                    self.finish();
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    fn write(&self, cut: Cut<Packet>) -> Result<Chunk, ReadError> {
        let start_ticks = cut.facts.start_ticks;
        let number = cut.samples.first().map_or(0, |sample| sample.entry);
        let entry = self
            .source
            .entry(number)
            .unwrap_or(self.source.first_entry());
        muxer::write(cut, entry, self.container).map_err(|source| ReadError::Mux {
            location: self.source.location().to_string(),
            start_ticks,
            source,
        })
    }

    fn finish(&mut self) {
        self.over = true;
        self.cutter.finish();
    }

    fn end(&mut self) -> Result<(), ReadError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.given > 0 {
            return Ok(());
        }
        Err(ReadError::NoKeyFrame {
            location: self.source.location().to_string(),
            packets: u64::from(self.cutter.lost()),
        })
    }
}

impl std::fmt::Debug for Chunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks")
            .field("location", self.source.location())
            .field("format", self.format())
            .finish_non_exhaustive()
    }
}
