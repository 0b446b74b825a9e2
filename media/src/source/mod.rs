//! An open source: packets in decode order, as the cutter needs them.
//!
//! ```text
//!   connect ──► open ──► Source::next:  demuxer ──► entry ──► stamper ──► SourcePacket
//!   reach it    check                   packet      kind of   time
//!                                                   picture
//! ```

mod connect;
mod entry;
mod open;
mod stamper;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use self::entry::Entries;
pub(crate) use self::entry::Entry;
use self::open::Origin;
use self::stamper::{Stamper, Unstamped};
use crate::audio::{AudioPacket, AudioStream};
use crate::cutter::{Pace, Sample};
use crate::error::ReadError;
use crate::ffi::{Demuxer, LibavError, Packet};
use crate::location::Location;

/// A packet of a source.
pub(crate) enum SourcePacket {
    /// A picture, in decode order.
    Video(Sample<Packet>),
    /// Audio, with the source's own stamp.
    Audio(AudioPacket<Arc<Packet>, Option<i64>>),
}

/// A source of one video stream, and of its audio if requested.
///
/// Blocks until the stop flag is set, and a network source at most for the requested timeout.
pub(crate) struct Source {
    demuxer: Demuxer,
    origin: Origin,
    stream: usize,
    /// `None` if audio is not kept, or there is none.
    audio: Option<Arc<AudioStream>>,
    entries: Entries,
    pace: Pace,
    /// The first packet, read to prove that there is one.
    first: Option<Packet>,
    timeout: Duration,
    stamper: Stamper,
    /// True if libav infers presentation times, so that none is the source's own.
    times_inferred: bool,
}

impl Source {
    /// The sample entry at the start.
    pub(crate) fn first_entry(&self) -> &Entry {
        self.entries.first()
    }

    /// The sample entry with this number.
    pub(crate) fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number)
    }

    /// The timing of the video stream.
    pub(crate) fn pace(&self) -> Pace {
        self.pace
    }

    /// The audio stream that is kept.
    pub(crate) fn audio_stream(&self) -> Option<&Arc<AudioStream>> {
        self.audio.as_ref()
    }

    /// The path or URL.
    pub(crate) fn location(&self) -> &Location {
        &self.origin.location
    }

    /// The duration that the container claims.
    pub(crate) fn expected_duration(&self) -> Option<Duration> {
        let given = self.origin.input.as_ref().and_then(|input| input.duration);
        let container = self.demuxer.duration_us().map(Duration::from_micros);
        // From FFmpeg 7 on, mp4 has only its streams' lengths before it is analysed.
        given.or(container).or_else(|| {
            let ticks = self.demuxer.streams().nth(self.stream)?.duration()?;
            Some(self.pace.timebase.duration(ticks))
        })
    }

    /// Returns true if the source cannot be read again.
    pub(crate) fn is_live(&self) -> bool {
        self.origin.networked && self.expected_duration().is_none()
    }

    /// The container's creation time, as text.
    pub(crate) fn creation_time(&self) -> Option<String> {
        self.demuxer.metadata(c"creation_time")
    }

    /// The codecs of its audio tracks.
    pub(crate) fn audio_codecs(&self) -> Vec<&'static str> {
        let tracks = self.demuxer.streams().filter(|stream| stream.is_audio());
        tracks
            .filter_map(|stream| Some(stream.parameters().ok()?.codec_name()))
            .collect()
    }

    /// The next packet; `None` when the source is over.
    pub(crate) fn next(&mut self) -> Result<Option<SourcePacket>, ReadError> {
        loop {
            if let Some(sample) = self.stamper.pop() {
                return Ok(Some(SourcePacket::Video(sample)));
            }
            match self.next_packet()? {
                Some(packet) if packet.stream() != self.stream => {
                    return Ok(Some(self.audio_packet(packet)));
                }
                Some(packet) => {
                    let unstamped = self.classify(packet)?;
                    self.stamper.push(unstamped);
                }
                None => return Ok(self.held_back().map(SourcePacket::Video)),
            }
        }
    }

    /// The next packet that the stamper still holds, after the end or an error.
    pub(crate) fn held_back(&mut self) -> Option<Sample<Packet>> {
        self.stamper.finish();
        self.stamper.pop()
    }

    /// A packet with the cutter's facts, except for its time.
    fn classify(&mut self, packet: Packet) -> Result<Unstamped, ReadError> {
        let entry = if packet.is_key() {
            self.entries
                .for_key_frame(&packet)
                .map_err(|failure| self.read_error(failure))?
        } else {
            self.entries.current()
        };
        Ok(Unstamped {
            picture: self.entries.classifier().classify(&packet),
            completes_frame: self.entries.completes_frame(&packet),
            entry,
            inferred: self.times_inferred,
            packet,
        })
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, ReadError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        loop {
            if self.origin.networked {
                self.demuxer.watch().allow(self.timeout);
            }
            match self.demuxer.read() {
                // Half of a packet whose fetch failed looks like a packet.
                Ok(Some(packet)) if self.wants(packet.stream()) => {
                    return self.check_input().map(|()| Some(packet));
                }
                Ok(Some(_)) => {}
                Ok(None) => return self.check_input().map(|()| None),
                Err(failure) => return Err(self.read_error(failure)),
            }
        }
    }

    fn wants(&self, stream: usize) -> bool {
        let audio = self.audio.as_ref().map(|audio| audio.index);
        stream == self.stream || audio == Some(stream)
    }

    fn audio_packet(&self, packet: Packet) -> SourcePacket {
        let usual = || self.audio.as_ref()?.usual_duration();
        SourcePacket::Audio(AudioPacket {
            pts: packet.pts(),
            duration: packet.duration().or_else(usual).unwrap_or(0),
            hidden: packet.is_hidden(),
            size: packet.data().len(),
            payload: Arc::new(packet),
        })
    }

    /// Returns the input's own error, if it has failed: a failed fetch looks like an end to libav.
    fn check_input(&self) -> Result<(), ReadError> {
        let Some(source) = self.origin.take_failure() else {
            return Ok(());
        };
        Err(self.end_reason(source.kind() == io::ErrorKind::TimedOut, source))
    }

    fn read_error(&self, failure: LibavError) -> ReadError {
        match self.check_input() {
            Err(failure) => failure,
            Ok(()) => self.end_reason(
                self.demuxer.watch().expired() || failure.is_timeout(),
                failure.into(),
            ),
        }
    }

    fn end_reason(&self, timed_out: bool, source: io::Error) -> ReadError {
        let location = self.origin.location.to_string();
        if self.demuxer.watch().stopped() {
            ReadError::Cancelled { location }
        } else if timed_out {
            let seconds = self.timeout.as_secs();
            ReadError::Timeout { location, seconds }
        } else {
            ReadError::Io { location, source }
        }
    }
}
