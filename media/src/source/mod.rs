//! A source that is open: packets in the order of decoding, each with what the cutter must know of it.

mod connect;
mod entry;
mod open;
mod stamper;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::audio::{AudioPacket, AudioStream};
use crate::cutter::{Pace, Sample};
use crate::error::ReadError;
use crate::ffi::{Demuxer, LibavError, Packet};
use crate::location::Location;

use self::entry::Entries;
pub(crate) use self::entry::Entry;
use self::open::Place;
use self::stamper::{Stamper, Unstamped};

/// What a source gives.
pub(crate) enum Read {
    /// A picture, in the order of decoding.
    Picture(Sample<Packet>),
    /// Audio, and when the source says that it is heard.
    Audio(Option<i64>, AudioPacket<Arc<Packet>>),
}

/// A source of one video stream, and of the audio that goes with it if that was asked for.
///
/// Blocks, at most for the timeout that was asked for with a network source, and until the stop flag is set in any case.
pub(crate) struct Source {
    demuxer: Demuxer,
    place: Place,
    stream: usize,
    /// The audio, where it is kept and there is any.
    audio: Option<Arc<AudioStream>>,
    entries: Entries,
    pace: Pace,
    /// The first packet, read to know that there is one.
    first: Option<Packet>,
    timeout: Duration,
    stamper: Stamper,
    /// Whether libav makes up times of showing, so that none is the source's own.
    times_inferred: bool,
}

impl Source {
    /// What the pictures are at the start.
    pub(crate) fn first_entry(&self) -> &Entry {
        self.entries.first()
    }

    /// What the pictures of samples with this number are.
    pub(crate) fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number)
    }

    /// What is known of its time.
    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    /// The stream of audio that is kept.
    pub(crate) fn audio_stream(&self) -> Option<&Arc<AudioStream>> {
        self.audio.as_ref()
    }

    /// Where it is.
    pub(crate) fn location(&self) -> &Location {
        &self.place.location
    }

    /// How long the container claims to be.
    pub(crate) fn expected_duration(&self) -> Option<Duration> {
        let container = self.demuxer.duration_us().map(Duration::from_micros);
        // from FFmpeg 7 on, mp4 tells only its streams' lengths before it is analysed
        let told = self.place.fetched.as_ref().and_then(|it| it.duration);
        told.or(container).or_else(|| {
            let ticks = self.demuxer.streams().nth(self.stream)?.duration()?;
            Some(self.pace.timebase.duration(ticks))
        })
    }

    /// Whether what it gives can be had only once.
    pub(crate) fn is_live(&self) -> bool {
        self.place.networked && self.expected_duration().is_none()
    }

    /// What the container says about when it was made, as text.
    pub(crate) fn creation_time(&self) -> Option<String> {
        self.demuxer.metadata(c"creation_time")
    }

    /// The codecs of its audio, one for each track.
    pub(crate) fn audio_codecs(&self) -> Vec<&'static str> {
        let tracks = self.demuxer.streams().filter(|stream| stream.is_audio());
        tracks
            .filter_map(|stream| Some(stream.parameters().ok()?.codec_name()))
            .collect()
    }

    /// The next packet; `None` when the source is over.
    pub(crate) fn next(&mut self) -> Result<Option<Read>, ReadError> {
        loop {
            if let Some(sample) = self.stamper.pop() {
                return Ok(Some(Read::Picture(sample)));
            }
            match self.next_packet()? {
                Some(packet) if packet.stream() != self.stream => {
                    return Ok(Some(self.audio_packet(packet)));
                }
                Some(packet) => {
                    let unstamped = self.describe(packet)?;
                    self.stamper.push(unstamped);
                }
                None => {
                    self.stamper.finish();
                    return Ok(self.stamper.pop().map(Read::Picture));
                }
            }
        }
    }

    /// After an error: the next packet that was read but not yet handed out.
    pub(crate) fn held_back(&mut self) -> Option<Sample<Packet>> {
        self.stamper.finish();
        self.stamper.pop()
    }

    /// What the cutter must know of a packet, but for its time.
    fn describe(&mut self, packet: Packet) -> Result<Unstamped, ReadError> {
        let entry = if packet.is_key() {
            self.entries
                .for_key_frame(&packet)
                .map_err(|failure| self.read_error(failure))?
        } else {
            self.entries.current()
        };
        let (pts, dts) = (packet.pts(), packet.dts());
        let sample = Sample {
            pts: 0,
            duration: packet.duration(),
            picture: self.entries.classifier().classify(&packet),
            completes_frame: self.entries.completes_frame(&packet),
            hidden: packet.is_hidden(),
            corrupt: packet.is_corrupt(),
            inferred: self.times_inferred,
            entry,
            size: packet.data().len(),
            payload: packet,
        };
        Ok(Unstamped { sample, pts, dts })
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, ReadError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            if self.place.networked {
                self.demuxer.watch().allow(self.timeout);
            }
            match self.demuxer.read() {
                // half a packet that could not be fetched whole looks like a packet
                Ok(Some(packet)) if self.wants(packet.stream()) => {
                    return self.end().map(|()| Some(packet));
                }
                Ok(Some(_)) => {}
                Ok(None) => return self.end().map(|()| None),
                Err(failure) => return Err(self.read_error(failure)),
            }
        }
    }

    fn wants(&self, stream: usize) -> bool {
        let audio = self.audio.as_ref().map(|audio| audio.index);
        stream == self.stream || audio == Some(stream)
    }

    fn audio_packet(&self, packet: Packet) -> Read {
        let usual = || self.audio.as_ref()?.usual_duration();
        let packet = AudioPacket {
            pts: 0, // placed later, beside the pictures
            duration: packet.duration().or_else(usual).unwrap_or(0),
            hidden: packet.is_hidden(),
            size: packet.data().len(),
            payload: Arc::new(packet),
        };
        Read::Audio(packet.payload.pts(), packet)
    }

    /// An end because the bytes could not be fetched is no end.
    fn end(&self) -> Result<(), ReadError> {
        let failure = self.place.fetched.as_ref().and_then(|it| it.failure.take());
        failure.map_or(Ok(()), |failure| Err(self.fetch_error(failure)))
    }

    fn fetch_error(&self, source: io::Error) -> ReadError {
        let location = self.place.location.to_string();
        if self.demuxer.watch().stopped() {
            ReadError::Cancelled { location }
        } else if source.kind() == io::ErrorKind::TimedOut {
            let seconds = self.timeout.as_secs();
            ReadError::Timeout { location, seconds }
        } else {
            ReadError::Io { location, source }
        }
    }

    fn read_error(&self, failure: LibavError) -> ReadError {
        if let Err(failure) = self.end() {
            return failure;
        }
        let location = self.place.location.to_string();
        let watch = self.demuxer.watch();
        if watch.stopped() {
            ReadError::Cancelled { location }
        } else if watch.expired() || failure.is_timeout() {
            ReadError::Timeout {
                location,
                seconds: self.timeout.as_secs(),
            }
        } else {
            ReadError::Io {
                location,
                source: failure.into(),
            }
        }
    }
}
