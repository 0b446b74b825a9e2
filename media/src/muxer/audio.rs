//! The audio of a chunk as a track of its file.
//!
//! ```text
//!   in front of a run    [ -2112 ][ -1088 ][ -64  ][ 960  ]      not played before zero
//!   later in the run              [ before ][ 137  ][ 1161 ]     previous packet ends at zero
//! ```
//!
//! mp4's edit list hides everything before zero. So later chunks hide exactly the repeated packet,
//! and the audio of consecutive chunks is the source's, to the sample. Matroska and MPEG-TS cannot
//! hide audio (their delays are the codec's, the same for the whole file): there no packet is
//! repeated, and none lies before zero.

use std::ops::Range;
use std::sync::Arc;

use crate::audio::{AudioPacket, AudioSegment, AudioStream, AudioTrack};
use crate::ffi::{LibavError, Muxer, Packet, Parameters, Stamp};
use crate::time::Timebase;
use crate::video::Container;

/// The audio track of a file.
pub(super) struct Track {
    /// Packets in order, with their times in samples from the chunk's start.
    pub(super) packets: Vec<(Arc<Packet>, Stamp)>,
    pub(super) stream: Arc<AudioStream>,
    /// True if the decoder is to skip the encoder's priming: not in later chunks, which begin with
    /// audio. Irrelevant in mp4.
    primed: bool,
    samples: u64,
    preroll_samples: u64,
}

impl Track {
    /// The track of a segment in a chunk with this interval in ticks of `video`; `None` without
    /// audio.
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
            move_before(&mut before, &stamps, segment.begins_run, clock.rounding());
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

    /// The decoder's parameters.
    pub(super) fn parameters(&self) -> &Parameters {
        if self.primed {
            &self.stream.parameters
        } else {
            &self.stream.later
        }
    }

    /// A bound of the steps of time in it, in samples.
    pub(super) fn longest_step(&self) -> i64 {
        let mut times = self.packets.iter().map(|(_, stamp)| stamp.pts);
        let first = times.next().unwrap_or(0);
        times.next_back().unwrap_or(first).saturating_sub(first)
    }

    /// The facts about it.
    pub(super) fn facts(&self) -> AudioTrack {
        AudioTrack {
            format: Arc::clone(&self.stream.format),
            packets: u32::try_from(self.packets.len()).unwrap_or(u32::MAX),
            samples: self.samples,
            preroll_samples: self.preroll_samples,
        }
    }
}

/// Writes audio between the pictures, in decode order of both.
pub(super) struct Interleaver<'a> {
    rest: std::slice::Iter<'a, (Arc<Packet>, Stamp)>,
    rate: Timebase,
}

impl<'a> Interleaver<'a> {
    pub(super) fn new(track: Option<&'a Track>) -> Interleaver<'a> {
        let second = Timebase::new(1, 1).expect("one is not zero");
        Interleaver {
            rest: track.map_or(&[][..], |track| &track.packets).iter(),
            rate: track.map_or(second, |track| track.stream.rate()),
        }
    }

    /// Writes the audio that is decoded before a picture.
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

/// Moves the hidden packets: in a run's later chunks right before zero, so that exactly they are
/// hidden; in front of a run right before the first played packet, unless there is a gap.
fn move_before(before: &mut [Stamp], played: &[Stamp], begins_run: bool, rounding: i64) {
    let first = played.first().map_or(0, |first| first.pts);
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
    /// Clamps to a file of this length: Matroska and MPEG-TS shift all streams if one begins before
    /// zero, and Matroska's length is that of the longest stream.
    fn keep_within(&mut self, length: i64) {
        self.pts = self.pts.clamp(0, (length - 1).max(0));
        self.dts = self.pts;
        self.duration = self.duration.min(length - self.pts).max(1);
    }
}

/// Converts ticks of the audio's stream to samples since the chunk's start.
struct Clock<'a> {
    start: i64,
    video: Timebase,
    stream: &'a AudioStream,
}

impl Clock<'_> {
    /// Times in samples. In a container that rounds (Matroska to milliseconds), contiguous packets
    /// seem to overlap or to leave gaps of a tick: they become contiguous here.
    fn stamps(&self, packets: &[AudioPacket<Arc<Packet>>]) -> Vec<Stamp> {
        let mut expected = 0;
        let stamp = |packet: &AudioPacket<Arc<Packet>>| {
            let stamped = self.since_start(packet.pts);
            let contiguous = (stamped - expected).abs() <= self.rounding();
            let pts = if contiguous { expected } else { stamped };
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
        let stamped = self
            .stream
            .timebase
            .convert_up(packet.duration, self.stream.rate());
        let usual = self.stream.frame;
        let near = |usual: &i64| stamped == 0 || (stamped - usual).abs() <= self.rounding();
        usual.filter(near).unwrap_or(stamped).max(1)
    }

    /// Most samples that a time may be off, from rounding to a tick in the source and here.
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
