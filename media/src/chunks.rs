//! Source, cutter and muxer in one.

use std::sync::Arc;
use std::time::Duration;

use crate::chunk::Chunk;
use crate::creation_time;
use crate::cutter::{Cut, Cutter, Limits};
use crate::error::{OpenError, ReadError};
use crate::ffi::Packet;
use crate::input::Input;
use crate::muxer;
use crate::sound::{self, Portion, Sound};
use crate::source::{Read, Source};
use crate::spec::Spec;
use crate::video::{Codec, Container, VideoFormat};

/// A cut, with its sound where that is kept.
pub(crate) type Complete = (Cut<Packet>, Option<Portion<Arc<Packet>>>);

/// The chunks of a source, in order.
///
/// Every packet of the source is in exactly one chunk or counted as lost by one; the same source, cut with the same
/// settings by the same [`muxer_version`](crate::muxer_version), gives the same bytes. Blocks: give each its own thread.
pub struct Chunks {
    container: Container,
    source: Source,
    cutter: Cutter<Packet>,
    /// Where sound is kept and there is any.
    sound: Option<Sound<Packet, Arc<Packet>>>,
    over: bool,
    /// Why the source ended, until that is told.
    failure: Option<ReadError>,
    /// Chunks so far.
    given: u64,
}

impl Chunks {
    /// Opens a source and finds out everything that would make it useless, before the first chunk.
    pub fn open(spec: &Spec) -> Result<Chunks, OpenError> {
        Chunks::of(Source::open(spec)?, spec)
    }

    /// The same for what the caller fetches; the location is for messages only.
    pub fn open_input(spec: &Spec, input: Input) -> Result<Chunks, OpenError> {
        Chunks::of(Source::open_input(spec, input)?, spec)
    }

    fn of(source: Source, spec: &Spec) -> Result<Chunks, OpenError> {
        let codec = source.first_entry().format.codec;
        let container = spec.container_for(codec, source.kept_sound().map(Arc::as_ref));
        check_container(&source, container)?;
        let cutter = Cutter::new(source.pace(), spec.window, Limits::default());
        let base = source.pace().timebase;
        let sound = source.kept_sound().map(|sound| {
            let overhang = sound::overhang(container);
            Sound::new(base, sound.timebase, sound.timestamp_bits, overhang)
        });
        Ok(Chunks {
            container,
            source,
            cutter,
            sound,
            over: false,
            failure: None,
            given: 0,
        })
    }

    /// What the pictures are at the start of the source.
    pub fn format(&self) -> &VideoFormat {
        &self.source.first_entry().format
    }

    /// Packets of sound that no picture went with and that no chunk has counted: complete when the source has ended.
    pub fn sound_dropped(&self) -> u32 {
        self.sound.as_ref().map_or(0, Sound::dropped)
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
            Some((cut, portion)) => self.write(cut, portion).map(Some),
            None => Ok(None),
        }
    }

    /// The next chunk before it is written.
    pub(crate) fn next_cut(&mut self) -> Result<Option<Complete>, ReadError> {
        loop {
            if let Some((cut, portion)) = self.pop() {
                self.given += 1;
                return Ok(Some((cut, portion)));
            }
            if self.over {
                return self.end().map(|()| None);
            }
            match self.source.next() {
                Ok(Some(read)) => self.take(read),
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

    fn take(&mut self, read: Read) {
        match (read, &mut self.sound) {
            (Read::Picture(sample), sound) => {
                self.cutter.push(sample);
                if let (Some(sound), Some(pts)) = (sound, self.cutter.latest()) {
                    sound.passed(pts);
                }
            }
            (Read::Sound(stamp, piece), Some(sound)) => sound.push(stamp, piece),
            (Read::Sound(..), None) => {}
        }
    }

    /// The next cut that is complete.
    fn pop(&mut self) -> Option<Complete> {
        let Some(sound) = &mut self.sound else {
            return self.cutter.pop().map(|cut| (cut, None));
        };
        while let Some(cut) = self.cutter.pop() {
            sound.push_cut(cut);
        }
        if self.over {
            sound.finish();
        }
        sound.pop().map(|(cut, portion)| (cut, Some(portion)))
    }

    fn write(
        &self,
        cut: Cut<Packet>,
        portion: Option<Portion<Arc<Packet>>>,
    ) -> Result<Chunk, ReadError> {
        let start_ticks = cut.facts.start_ticks;
        let number = cut.samples.first().map_or(0, |sample| sample.entry);
        let entry = self
            .source
            .entry(number)
            .unwrap_or(self.source.first_entry());
        let sound = self.source.kept_sound().zip(portion);
        muxer::write(cut, entry, sound, self.container).map_err(|source| ReadError::Mux {
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

/// Whether the container takes such a stream is better known now than after the first chunk.
fn check_container(source: &Source, container: Container) -> Result<(), OpenError> {
    let (entry, sound) = (source.first_entry(), source.kept_sound().map(Arc::as_ref));
    let codec = entry.format.codec;
    let refused = |codec: String| OpenError::WrongContainer {
        location: source.location().to_string(),
        codec,
        container,
    };
    if !container.holds(codec) {
        return Err(refused(format!("{codec} video")));
    }
    if let Some(sound) = sound.filter(|sound| !container.holds_sound(sound.format.codec)) {
        return Err(refused(format!("{} sound", sound.format.codec)));
    }
    // a stream that was joined in the middle brings its parameter sets with its first key frame
    if matches!(codec, Codec::H264 | Codec::H265) && entry.parameters.extradata().is_empty() {
        return Ok(());
    }
    muxer::check(entry, sound, container).map_err(|_| OpenError::UnsupportedCodec {
        location: source.location().to_string(),
        codec: codec.name().to_owned(),
    })
}
