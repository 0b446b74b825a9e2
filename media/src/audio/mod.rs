//! Audio beside the pictures: which packets of it go into which chunk.
//!
//! ```text
//!   pictures   |--------- chunk 0 ---------|--------- chunk 1 ---------|      cut at key frames
//!   audio     p[ a ][ a ][ a ][ a ][ a ][ a  ][ b ][ b ][ b ][ b ][ b ][ b ]
//!                                         '-> p: repeated in front of chunk 1, to be decoded and not heard
//! ```
//!
//! A packet of audio belongs to the chunk in whose interval it begins. Most codecs need the packet before to decode one, so
//! each chunk is also given that one: a container that can hide it repeats it. Audio and pictures come side by side but not
//! in step, so a finished cut waits for its audio: until the audio has passed its end, the source is over, or [`PATIENCE`]
//! or [`MOST_BYTES`] are used up. Pure, like the cutter: payloads are carried along and never looked at.

mod line;
mod stream;

#[cfg(test)]
mod properties;

use std::collections::VecDeque;
use std::time::Duration;

use line::Line;
pub(crate) use stream::AudioStream;
pub use stream::{AudioFormat, AudioTrack};

use crate::cutter::Cut;
use crate::time::Timebase;
use crate::video::Container;

/// How much video a finished cut waits for audio that does not come: more than any container's streams are apart.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many bytes of pictures and audio wait at most; as many as a group of pictures may have.
const MOST_BYTES: usize = 64 << 20;

/// How far audio may go on after the last picture of a run, in mp4. Beyond it there is nothing that it belongs to.
const OVERHANG: Duration = Duration::from_secs(1);

/// How far audio may go on in a container: the length of a Matroska file is that of its longest stream, and has to stay that
/// of the pictures.
pub(crate) fn overhang(container: Container) -> Duration {
    match container {
        Container::Mp4 => OVERHANG,
        Container::Mkv | Container::MpegTs => Duration::ZERO,
    }
}

/// A packet of audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AudioPacket<P> {
    /// When it is heard, in ticks of its stream.
    pub(crate) pts: i64,
    /// How long, in ticks.
    pub(crate) duration: i64,
    /// Decoded but not heard: the source's own run-up.
    pub(crate) hidden: bool,
    /// Size of the payload in bytes.
    pub(crate) size: usize,
    /// The packet itself.
    pub(crate) payload: P,
}

impl<P> AudioPacket<P> {
    fn end(&self) -> i64 {
        self.pts + self.duration
    }
}

/// The audio of one cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AudioSegment<P> {
    /// What is to be decoded before it and not heard: in front of a run what the source has there, else the packet before.
    pub(crate) before: Vec<AudioPacket<P>>,
    /// What begins in the cut's interval, in order.
    pub(crate) packets: Vec<AudioPacket<P>>,
    /// Whether a run begins here. Then nothing was heard of a packet that began before it, and the rest of it is.
    pub(crate) begins_run: bool,
    /// Packets since the cut before that had no picture to go with, and so are heard in no chunk.
    pub(crate) dropped: u32,
}

/// Deals packets of audio out to cuts.
///
/// Every packet that is pushed is among the `packets` of exactly one segment, or counted as dropped by one or by
/// [`AudioSegmenter::dropped`] after the last; only the source's own run-up, which is no audio, is neither. None is in a segment of
/// another run than that in whose time it came.
pub(crate) struct AudioSegmenter<V, P> {
    video: Timebase,
    base: Timebase,
    /// How far the audio of a run may go on after its end, in the audio's ticks.
    overhang: i64,
    line: Line,
    /// Which of the audio's lines the current run goes by.
    chosen: u32,
    held: VecDeque<Held<P>>,
    waiting: VecDeque<Waiting<V>>,
    bytes: usize,
    run: Option<Run>,
    before: Vec<AudioPacket<P>>,
    dropped: u32,
    /// The latest picture.
    latest: Option<i64>,
    /// How much video has been read, in its ticks.
    passed: i64,
    over: bool,
}

/// A packet that no cut has asked for yet.
struct Held<P> {
    /// The audio's line that it lies on.
    line: u32,
    /// How much video had been read when it came.
    since: i64,
    packet: AudioPacket<P>,
}

/// The run that the last segment belongs to.
#[derive(Clone, Copy, Debug)]
struct Run {
    number: u32,
    end: i64,
}

/// A cut that waits, with its interval in the audio's ticks.
struct Waiting<V> {
    cut: Cut<V>,
    start: i64,
    end: i64,
    bytes: usize,
    since: i64,
}

impl<V, P: Clone> AudioSegmenter<V, P> {
    /// For pictures with ticks of `video` and audio with ticks of `base` whose counter has so many bits.
    pub(crate) fn new(
        video: Timebase,
        base: Timebase,
        timestamp_bits: u32,
        overhang: Duration,
    ) -> AudioSegmenter<V, P> {
        AudioSegmenter {
            video,
            base,
            overhang: base.ticks(overhang),
            line: Line::new(base, timestamp_bits),
            chosen: 0,
            held: VecDeque::new(),
            waiting: VecDeque::new(),
            bytes: 0,
            run: None,
            before: Vec::new(),
            dropped: 0,
            latest: None,
            passed: 0,
            over: false,
        }
    }

    /// Takes the next packet of audio, its time as the source stamps it.
    pub(crate) fn push(&mut self, stamp: Option<i64>, mut packet: AudioPacket<P>) {
        let near = self.latest.map(|pts| self.video.convert_up(pts, self.base));
        let (line, pts) = self.line.place(stamp, packet.duration, near);
        packet.pts = pts;
        self.bytes += packet.size;
        self.held.push_back(Held {
            line,
            since: self.passed,
            packet,
        });
        // audio without pictures: what is oldest has waited in vain
        while self.waiting.is_empty() && self.bytes > MOST_BYTES {
            self.drop_first();
        }
    }

    /// Takes the next cut.
    pub(crate) fn push_cut(&mut self, cut: Cut<V>) {
        let bytes = cut.samples.iter().map(|sample| sample.size).sum();
        self.bytes += bytes;
        self.waiting.push_back(Waiting {
            start: self.video.convert_up(cut.facts.start_ticks, self.base),
            end: self.video.convert_up(cut.facts.end_ticks, self.base),
            cut,
            bytes,
            since: self.passed,
        });
    }

    /// A picture of this time was read.
    pub(crate) fn passed(&mut self, pts: i64) {
        let step = pts - self.latest.unwrap_or(pts);
        self.passed += step.clamp(0, self.video.ticks(Duration::from_secs(1)));
        self.latest = Some(pts);
    }

    /// The source is over: nothing waits any longer.
    pub(crate) fn finish(&mut self) {
        self.over = true;
    }

    /// Packets that are in no segment, nor counted by one.
    pub(crate) fn dropped(&self) -> u32 {
        let held = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        self.dropped.saturating_add(held)
    }

    /// The next cut with all of its audio.
    pub(crate) fn pop(&mut self) -> Option<(Cut<V>, AudioSegment<P>)> {
        let line = self.line_for(self.waiting.front()?);
        let limit = self.limit();
        let heard = line.is_some_and(|line| self.has_passed(line, limit));
        let settled = heard && self.knows_next();
        if !settled && !self.over && !self.is_overdue() {
            return None;
        }
        let waiting = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(waiting.bytes);
        let segment = self.segment(&waiting, line, limit);
        Some((waiting.cut, segment))
    }

    /// Whether it is known how far the audio of the first waiting cut goes: to its end, or after the last of a run beyond it.
    fn knows_next(&self) -> bool {
        let last = self
            .waiting
            .front()
            .is_some_and(|waiting| waiting.cut.ends_run);
        !last || self.waiting.len() > 1
    }

    /// Where the audio of the first waiting cut ends.
    fn limit(&self) -> i64 {
        let Some(first) = self.waiting.front() else {
            return i64::MIN;
        };
        let overhang = first.end + self.overhang;
        match self.waiting.get(1) {
            _ if !first.cut.ends_run => first.end,
            Some(next) if next.start >= first.end => overhang.min(next.start),
            Some(_) => overhang,
            None if self.over => overhang,
            None => first.end,
        }
    }

    /// Which of the audio's lines goes with a cut, if that is known.
    fn line_for(&self, waiting: &Waiting<V>) -> Option<u32> {
        let Some(run) = self.run else {
            let mut held = self.held.iter();
            let heard = held.find(|held| held.packet.end() > waiting.start);
            return heard.map(|held| held.line);
        };
        let same_run = run.number == waiting.cut.facts.run;
        if !same_run && waiting.start < run.end - self.line.step() {
            // the pictures were set back: so was their audio
            let near = self.base.ticks(PATIENCE);
            let mut later = self.held.iter().filter(|held| held.line > self.chosen);
            let found = later.find(|held| (held.packet.pts - waiting.start).abs() <= near);
            return found.map(|held| held.line);
        }
        // audio that was set back by itself is believed when the pictures have not followed
        let alone = self.held.front().filter(|held| {
            held.line > self.chosen && self.passed - held.since > self.video.ticks(PATIENCE)
        });
        Some(alone.map_or(self.chosen, |held| held.line))
    }

    /// Whether nothing more of a line is to come before `limit`.
    fn has_passed(&self, line: u32, limit: i64) -> bool {
        let last = self.held.back();
        last.is_some_and(|held| held.line > line || (held.line == line && held.packet.pts >= limit))
    }

    fn is_overdue(&self) -> bool {
        let timeout = self.video.ticks(PATIENCE);
        let waited = self
            .waiting
            .front()
            .map_or(0, |first| self.passed - first.since);
        waited > timeout || self.bytes > MOST_BYTES
    }

    fn segment(&mut self, cut: &Waiting<V>, line: Option<u32>, limit: i64) -> AudioSegment<P> {
        let number = cut.cut.facts.run;
        let begins_run = self.run.is_none_or(|run| run.number != number);
        self.run = Some(Run {
            number,
            end: cut.end,
        });
        if begins_run {
            self.before.clear();
        }
        let mut packets = Vec::new();
        if let Some(line) = line {
            self.chosen = line;
            self.skip_to(line, cut.start, begins_run);
            let heard = |held: &Held<P>| held.line == line && held.packet.pts < limit;
            while self.held.front().is_some_and(heard) {
                packets.extend(self.take_first());
            }
        }
        let before = match packets.last() {
            Some(last) => std::mem::replace(&mut self.before, vec![last.clone()]),
            None => Vec::new(),
        };
        AudioSegment {
            before,
            packets,
            begins_run,
            dropped: std::mem::take(&mut self.dropped),
        }
    }

    /// Passes over what cannot be heard in a cut that begins at `start`. In front of a run it may be needed to decode the rest.
    fn skip_to(&mut self, line: u32, start: i64, begins_run: bool) {
        let early = |held: &Held<P>| {
            let until = if begins_run {
                held.packet.end()
            } else {
                held.packet.pts + 1
            };
            held.line < line || (held.line == line && until <= start)
        };
        while let Some(first) = self.held.front().filter(|held| early(held)) {
            if first.line < line || !begins_run {
                self.drop_first();
            } else if let Some(packet) = self.take_first() {
                self.run_up(packet);
            }
        }
    }

    /// In front of a run the last packet is kept, or all that the source itself hides.
    fn run_up(&mut self, packet: AudioPacket<P>) {
        if !packet.hidden {
            self.dropped = self.dropped.saturating_add(1);
        }
        if !packet.hidden || self.before.first().is_some_and(|first| !first.hidden) {
            self.before.clear();
        }
        self.before.push(packet);
    }

    fn drop_first(&mut self) {
        let dropped = u32::from(self.take_first().is_some());
        self.dropped = self.dropped.saturating_add(dropped);
    }

    fn take_first(&mut self) -> Option<AudioPacket<P>> {
        let packet = self.held.pop_front()?.packet;
        self.bytes = self.bytes.saturating_sub(packet.size);
        Some(packet)
    }
}
