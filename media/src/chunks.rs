//! Source, cutter, audio and muxer in one.

use std::sync::Arc;
use std::time::Duration;

use crate::audio::{self, AudioSegment, AudioSegmenter};
use crate::chunk::Chunk;
use crate::creation_time;
use crate::cutter::{Cut, Cutter, Limits};
use crate::error::{OpenError, ReadError};
use crate::ffi::Packet;
use crate::input::Input;
use crate::muxer;
use crate::options::OpenOptions;
use crate::source::{Source, SourcePacket};
use crate::video::{Codec, Container, VideoFormat};

/// A cut, with its audio if that is kept.
pub(crate) type CutWithAudio = (Cut<Packet>, Option<AudioSegment<Arc<Packet>>>);

/// The chunks of a source, in order.
///
/// Every packet of the source is in exactly one chunk or counted as lost by one. The same source,
/// cut with the same settings by the same [`muxer_version`](crate::muxer_version), gives the same
/// bytes. Calls block: give each source its own thread.
pub struct Chunks {
    container: Container,
    source: Source,
    cutter: Cutter<Packet>,
    /// `None` if audio is not kept, or the source has none.
    audio: Option<AudioSegmenter<Packet, Arc<Packet>>>,
    over: bool,
    /// The error that ended the source, until it is returned.
    failure: Option<ReadError>,
    /// Chunks so far.
    given: u64,
}

impl Chunks {
    /// Opens a source, and finds every fault that makes it useless before the first chunk.
    pub fn open(options: &OpenOptions) -> Result<Chunks, OpenError> {
        Chunks::new(Source::open(options)?, options)
    }

    /// The same for bytes that the caller fetches; the location is for messages only.
    pub fn open_input(options: &OpenOptions, input: Input) -> Result<Chunks, OpenError> {
        Chunks::new(Source::open_input(options, input)?, options)
    }

    fn new(source: Source, options: &OpenOptions) -> Result<Chunks, OpenError> {
        let codec = source.first_entry().format.codec;
        let container = options.container_for(codec, source.audio_stream().map(Arc::as_ref));
        check_container(&source, container)?;
        let cutter = Cutter::new(source.pace(), options.window, Limits::default());
        let base = source.pace().timebase;
        let audio = source.audio_stream().map(|audio| {
            let overhang = audio::overhang(container);
            AudioSegmenter::new(base, audio.timebase, audio.timestamp_bits, overhang)
        });
        Ok(Chunks {
            container,
            source,
            cutter,
            audio,
            over: false,
            failure: None,
            given: 0,
        })
    }

    /// Format of the pictures at the start of the source.
    pub fn format(&self) -> &VideoFormat {
        &self.source.first_entry().format
    }

    /// Audio packets that belong to no picture and are not counted by a chunk: complete when the
    /// source has ended.
    pub fn audio_dropped(&self) -> u32 {
        self.audio.as_ref().map_or(0, AudioSegmenter::dropped)
    }

    /// The duration that the container claims. For progress bars only: claims are wrong.
    pub fn expected_duration(&self) -> Option<Duration> {
        self.source.expected_duration()
    }

    /// Start of the recording by its container, in microseconds of Unix time; `None` if the
    /// container has no plausible time (cameras with an unset clock write 1904 or 1970).
    pub fn creation_time_us(&self) -> Option<i64> {
        creation_time::parse(&self.source.creation_time()?)
    }

    /// File format of the chunks.
    pub fn container(&self) -> Container {
        self.container
    }

    /// The codecs of the source's audio tracks, by FFmpeg's names.
    pub fn audio_codecs(&self) -> Vec<&'static str> {
        self.source.audio_codecs()
    }

    /// Packets that came before any key frame and are in no chunk's facts yet.
    pub(crate) fn lost(&self) -> u32 {
        self.cutter.lost()
    }

    /// The next chunk; `None` when the source has ended.
    ///
    /// When a live source fails or is stopped, its packets so far become a last, shorter chunk, and
    /// the error follows. A file that fails or is stopped gives no such chunk: it can be read
    /// again, and must give the same chunks then.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, ReadError> {
        match self.next_cut()? {
            Some((cut, audio)) => self.write(cut, audio).map(Some),
            None => Ok(None),
        }
    }

    /// The next chunk before it is written.
    pub(crate) fn next_cut(&mut self) -> Result<Option<CutWithAudio>, ReadError> {
        loop {
            if let Some(cut) = self.pop() {
                self.given += 1;
                return Ok(Some(cut));
            }
            if self.over {
                return self.end().map(|()| None);
            }
            match self.source.next() {
                Ok(Some(packet)) => self.push(packet),
                Ok(None) => self.finish(),
                // A live source cannot be read again; a file can, and must then be cut the same
                // way.
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

    fn push(&mut self, packet: SourcePacket) {
        match (packet, &mut self.audio) {
            (SourcePacket::Video(sample), audio) => {
                self.cutter.push(sample);
                if let (Some(audio), Some(pts)) = (audio, self.cutter.latest()) {
                    audio.advance(pts);
                }
            }
            (SourcePacket::Audio(packet), Some(audio)) => audio.push(packet),
            (SourcePacket::Audio(_), None) => {}
        }
    }

    /// The next cut that is complete.
    fn pop(&mut self) -> Option<CutWithAudio> {
        let Some(audio) = &mut self.audio else {
            return self.cutter.pop().map(|cut| (cut, None));
        };
        while let Some(cut) = self.cutter.pop() {
            audio.push_cut(cut);
        }
        if self.over {
            audio.finish();
        }
        audio.pop().map(|(cut, segment)| (cut, Some(segment)))
    }

    fn write(
        &self,
        cut: Cut<Packet>,
        audio: Option<AudioSegment<Arc<Packet>>>,
    ) -> Result<Chunk, ReadError> {
        let start_ticks = cut.facts.start_ticks;
        let number = cut.samples.first().map_or(0, |sample| sample.entry);
        let entry = self
            .source
            .entry(number)
            .unwrap_or(self.source.first_entry());
        let audio = self.source.audio_stream().zip(audio);
        muxer::write(cut, entry, audio, self.container).map_err(|source| ReadError::Mux {
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

/// Refuses a container that cannot hold the streams, before the first chunk instead of after it.
fn check_container(source: &Source, container: Container) -> Result<(), OpenError> {
    let (entry, audio) = (source.first_entry(), source.audio_stream().map(Arc::as_ref));
    let codec = entry.format.codec;
    let refused = |codec: String| OpenError::WrongContainer {
        location: source.location().to_string(),
        codec,
        container,
    };
    if !container.holds(codec) {
        return Err(refused(format!("{codec} video")));
    }
    if let Some(audio) = audio.filter(|audio| !container.holds_audio(audio.format.codec)) {
        return Err(refused(format!("{} audio", audio.format.codec)));
    }
    // A stream that was joined in the middle brings its parameter sets with its first key frame.
    if matches!(codec, Codec::H264 | Codec::H265) && entry.parameters.extradata().is_empty() {
        return Ok(());
    }
    muxer::check(entry, audio, container).map_err(|_| OpenError::UnsupportedCodec {
        location: source.location().to_string(),
        codec: codec.name().to_owned(),
    })
}
