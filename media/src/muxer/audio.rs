//! The audio of a chunk as a track of its file.
//!
//! ```text
//!   in front of a run    [ -2112 ][ -1088 ][ -64  ][ 960  ]      what lies before zero is not heard
//!   later in the run              [ before ][ 137  ][ 1161 ]     the packet before is put right before zero, whole
//! ```
//!
//! mp4 hides what lies before zero by its edit list. So in later chunks exactly the repeated packet is hidden, and the
//! audio of all chunks one after another is the source's, to the sample. Matroska and MPEG-TS cannot hide anything (their
//! delays are the codec's, the same for the whole file): there nothing is repeated, and nothing lies before zero.

use std::ops::Range;
use std::sync::Arc;

use crate::audio::{AudioPacket, AudioSegment, AudioStream, AudioTrack};
use crate::ffi::{LibavError, Muxer, Packet, Parameters, Stamp};
use crate::time::Timebase;
use crate::video::Container;

/// Audio on its way into a file.
pub(super) struct Track {
    /// Packets in order with their times in samples from the chunk's start.
    pub(super) packets: Vec<(Arc<Packet>, Stamp)>,
    pub(super) stream: Arc<AudioStream>,
    /// Whether the decoder is to skip what encoders put in front: not in later chunks, where that is audio. mp4 does not ask.
    primed: bool,
    samples: u64,
    preroll_samples: u64,
}

impl Track {
    /// The track of a segment in a chunk that begins at `start` ticks of `video`; `None` if nothing is heard in it.
    pub(super) fn new(
        stream: &Arc<AudioStream>,
        segment: AudioSegment<Arc<Packet>>,
        (interval, video): (Range<i64>, Timebase),
        container: Container,
    ) -> Option<Track> {
        let clock = Clock {
            start: interval.start,
            video,
            stream,
        };
        segment.packets.first()?;
        let mut stamps = clock.stamps(&segment.packets);
        let mut packets = segment.packets;
        if container == Container::Mp4 {
            let mut before = clock.stamps(&segment.before);
            put_in_front(&mut before, &stamps, segment.begins_run, clock.rounding());
            stamps.splice(0..0, before);
            packets.splice(0..0, segment.before);
        }
        let whole: i64 = stamps.iter().map(|stamp| stamp.duration).sum();
        let mut hidden = 0;
        if container == Container::Mp4 {
            hidden = stamps.first().map_or(0, |first| -first.pts.min(0));
        } else {
            let length = clock.length_until(interval.end);
            stamps
                .iter_mut()
                .for_each(|stamp| stamp.keep_within(length));
        }
        let payloads = packets.into_iter().map(|packet| packet.payload);
        Some(Track {
            packets: payloads.zip(stamps).collect(),
            stream: Arc::clone(stream),
            primed: segment.begins_run || container == Container::Mp4,
            samples: u64::try_from(whole - hidden).unwrap_or(0),
            preroll_samples: u64::try_from(hidden).unwrap_or(0),
        })
    }

    /// What a decoder must know of it.
    pub(super) fn parameters(&self) -> &Parameters {
        if self.primed {
            &self.stream.parameters
        } else {
            &self.stream.later
        }
    }

    /// No step of time in it is longer than this, in samples.
    pub(super) fn longest_step(&self) -> i64 {
        let mut times = self.packets.iter().map(|(_, stamp)| stamp.pts);
        let first = times.next().unwrap_or(0);
        times.next_back().unwrap_or(first).saturating_sub(first)
    }

    /// What there is to say about it.
    pub(super) fn facts(&self) -> AudioTrack {
        AudioTrack {
            format: Arc::clone(&self.stream.format),
            packets: u32::try_from(self.packets.len()).unwrap_or(u32::MAX),
            samples: self.samples,
            preroll_samples: self.preroll_samples,
        }
    }
}

/// Audio that is written between the pictures, in the order in which both are decoded.
pub(super) struct Beside<'a> {
    rest: std::slice::Iter<'a, (Arc<Packet>, Stamp)>,
    rate: Timebase,
}

impl<'a> Beside<'a> {
    pub(super) fn new(track: Option<&'a Track>) -> Beside<'a> {
        let second = Timebase::new(1, 1).expect("one is not zero");
        Beside {
            rest: track.map_or(&[][..], |track| &track.packets).iter(),
            rate: track.map_or(second, |track| track.stream.rate()),
        }
    }

    /// Writes what is decoded before a picture.
    pub(super) fn write_until(
        &mut self,
        muxer: &mut Muxer,
        picture: Stamp,
        timebase: Timebase,
    ) -> Result<(), LibavError> {
        let until = timebase.convert_up(picture.dts, self.rate);
        while let Some((_, stamp)) = self.rest.as_slice().first() {
            if stamp.dts >= until {
                break;
            }
            self.write_next(muxer)?;
        }
        Ok(())
    }

    pub(super) fn write_rest(&mut self, muxer: &mut Muxer) -> Result<(), LibavError> {
        while self.write_next(muxer)? {}
        Ok(())
    }

    fn write_next(&mut self, muxer: &mut Muxer) -> Result<bool, LibavError> {
        let Some((packet, stamp)) = self.rest.next() else {
            return Ok(false);
        };
        muxer.write(super::AUDIO, &mut packet.share()?, *stamp, self.rate)?;
        Ok(true)
    }
}

/// Moves what is not heard: in a run's later chunks right before zero, so that just it is hidden; in front of a run right
/// before what follows it, unless there is a gap.
fn put_in_front(before: &mut [Stamp], heard: &[Stamp], begins_run: bool, rounding: i64) {
    let first = heard.first().map_or(0, |first| first.pts);
    let ends = before.last().map_or(0, |last| last.pts + last.duration);
    let mut end = match begins_run {
        false => 0,
        true if (ends - first).abs() <= rounding => first,
        true => return,
    };
    for stamp in before.iter_mut().rev() {
        end -= stamp.duration;
        (stamp.pts, stamp.dts) = (end, end);
    }
}

impl Stamp {
    /// These containers shift all streams by what one of them has before zero, and Matroska's length is that of the longest.
    fn keep_within(&mut self, length: i64) {
        self.pts = self.pts.clamp(0, (length - 1).max(0));
        self.dts = self.pts;
        self.duration = self.duration.min(length - self.pts).max(1);
    }
}

/// Turns ticks of the audio's stream into samples since the chunk's start.
struct Clock<'a> {
    start: i64,
    video: Timebase,
    stream: &'a AudioStream,
}

impl Clock<'_> {
    /// Times in samples. A container that rounds (Matroska to milliseconds) says of packets that follow each other that
    /// they overlap or leave gaps of a tick: there they follow each other.
    fn stamps(&self, packets: &[AudioPacket<Arc<Packet>>]) -> Vec<Stamp> {
        let mut expected = 0;
        let stamp = |packet: &AudioPacket<Arc<Packet>>| {
            let told = self.since_start(packet.pts);
            let pts = if (told - expected).abs() <= self.rounding() {
                expected
            } else {
                told
            };
            let duration = self.samples_in(packet);
            expected = pts + duration;
            Stamp {
                dts: pts,
                pts,
                duration,
            }
        };
        packets.iter().map(stamp).collect()
    }

    fn samples_in(&self, packet: &AudioPacket<Arc<Packet>>) -> i64 {
        let told = self
            .stream
            .timebase
            .convert_up(packet.duration, self.stream.rate());
        let usual = self.stream.frame;
        let near = |usual: &i64| told == 0 || (told - usual).abs() <= self.rounding();
        usual.filter(near).unwrap_or(told).max(1)
    }

    /// How many samples a time may be off because it was rounded to a tick, by the source and by us.
    fn rounding(&self) -> i64 {
        self.stream.timebase.convert_up(1, self.stream.rate()) + 1
    }

    fn length_until(&self, end: i64) -> i64 {
        let rate = self.stream.rate();
        self.video.convert_up(end, rate) - self.video.convert_up(self.start, rate)
    }

    fn since_start(&self, pts: i64) -> i64 {
        let rate = self.stream.rate();
        self.stream.timebase.convert_up(pts, rate) - self.video.convert_up(self.start, rate)
    }
}
