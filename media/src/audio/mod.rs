//! Assigns audio packets to the chunks that the pictures make.
//!
//! ```text
//!   pictures   |--------- chunk 0 ---------|--------- chunk 1 ---------|      cut at key frames
//!   audio     p[ a ][ a ][ a ][ a ][ a ][ a  ][ b ][ b ][ b ][ b ][ b ][ b ]
//!                                         '-> p: repeated before chunk 1, decoded but not played
//! ```
//!
//! An audio packet belongs to the chunk in whose interval it begins. Most codecs need the previous
//! packet to decode one, so each chunk gets that one too, and containers that can hide it repeat
//! it. Audio and pictures arrive side by side but not in step, so a finished cut waits for its
//! audio: until the audio has passed its end, the source is over, or [`MAX_WAIT`] or [`MAX_BYTES`]
//! are used up. Pure, like the cutter: payloads are opaque.

mod stream;
mod timeline;

#[cfg(test)]
mod properties;

use std::collections::VecDeque;
use std::time::Duration;

pub(crate) use stream::AudioStream;
pub use stream::{AudioFormat, AudioTrack};
use timeline::AudioTimelines;

use crate::cutter::Cut;
use crate::time::Timebase;
use crate::video::Container;

/// Most video that a finished cut waits for missing audio: more than the streams of any container
/// are apart.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Most bytes of pictures and audio that wait; as many as a group of pictures may have.
const MAX_BYTES: usize = 64 << 20;

/// Most audio after the last picture of a run, in mp4. Later audio belongs to no picture.
const OVERHANG: Duration = Duration::from_secs(1);

/// Most audio after the last picture of a run, by container. The length of a Matroska file is that
/// of its longest stream, and must stay that of the pictures.
pub(crate) fn overhang(container: Container) -> Duration {
    match container {
        Container::Mp4 => OVERHANG,
        Container::Mkv | Container::MpegTs => Duration::ZERO,
    }
}

/// A packet of audio. `T` is `Option<i64>` for a packet as the source stamps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AudioPacket<P, T = i64> {
    /// Presentation time in ticks of its stream.
    pub(crate) pts: T,
    /// Duration in ticks.
    pub(crate) duration: i64,
    /// Decoded but not played: the source's own preroll.
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
    /// Packets to decode first without hearing them: the source's preroll in front of a run, else
    /// the previous packet.
    pub(crate) before: Vec<AudioPacket<P>>,
    /// The packets that begin in the cut's interval, in order.
    pub(crate) packets: Vec<AudioPacket<P>>,
    /// True at the start of a run: there the end of a packet that began earlier is played here
    /// first.
    pub(crate) begins_run: bool,
    /// Packets since the previous cut that belong to no picture, and so are in no chunk.
    pub(crate) dropped: u32,
}

/// Assigns audio packets to cuts.
///
/// Every pushed packet is among the `packets` of exactly one segment, or counted as dropped by one
/// or by [`AudioSegmenter::dropped`] after the last. The exception is the source's own preroll,
/// which is no audio. No packet is in a segment of another run than the one in whose time it came.
pub(crate) struct AudioSegmenter<V, P> {
    video: Timebase,
    base: Timebase,
    /// Most audio after the end of a run, in the audio's ticks.
    overhang: i64,
    timelines: AudioTimelines,
    /// Number of the audio timeline that goes with the current run.
    current: u32,
    held: VecDeque<Held<P>>,
    waiting: VecDeque<Waiting<V>>,
    bytes: usize,
    run: Option<Run>,
    before: Vec<AudioPacket<P>>,
    dropped: u32,
    /// The latest picture.
    latest: Option<i64>,
    /// Video read so far, in its ticks.
    passed: i64,
    over: bool,
}

/// A packet that belongs to no cut yet.
struct Held<P> {
    /// Number of its audio timeline.
    timeline: u32,
    /// Video that had been read when it came.
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
    /// For pictures with ticks of `video`, and audio with ticks of `base` and a counter of so many
    /// bits.
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
            timelines: AudioTimelines::new(base, timestamp_bits),
            current: 0,
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

    /// Takes the next packet as the source stamps it.
    pub(crate) fn push(&mut self, packet: AudioPacket<P, Option<i64>>) {
        let near = self.latest.map(|pts| self.video.convert_up(pts, self.base));
        let (timeline, pts) = self.timelines.place(packet.pts, packet.duration, near);
        self.bytes += packet.size;
        self.held.push_back(Held {
            timeline,
            since: self.passed,
            packet: AudioPacket {
                pts,
                duration: packet.duration,
                hidden: packet.hidden,
                size: packet.size,
                payload: packet.payload,
            },
        });
        // Audio without pictures: the oldest has waited in vain.
        while self.waiting.is_empty() && self.bytes > MAX_BYTES {
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

    /// Advances to the presentation time of the picture that was just read.
    pub(crate) fn advance(&mut self, pts: i64) {
        let step = pts - self.latest.unwrap_or(pts);
        self.passed += step.clamp(0, self.video.ticks(Duration::from_secs(1)));
        self.latest = Some(pts);
    }

    /// Ends the source: cuts no longer wait.
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
        let timeline = self.timeline_for(self.waiting.front()?);
        let limit = self.limit();
        let complete = timeline.is_some_and(|timeline| self.has_passed(timeline, limit));
        let settled = complete && self.knows_next();
        if !settled && !self.over && !self.is_overdue() {
            return None;
        }
        let waiting = self.waiting.pop_front()?;
        self.bytes = self.bytes.saturating_sub(waiting.bytes);
        let segment = self.segment(&waiting, timeline, limit);
        Some((waiting.cut, segment))
    }

    /// Returns true if the end of the first waiting cut's audio is known: its own end, or for the
    /// last cut of a run a point beyond it, which depends on the next cut.
    fn knows_next(&self) -> bool {
        let last = self
            .waiting
            .front()
            .is_some_and(|waiting| waiting.cut.ends_run);
        !last || self.waiting.len() > 1
    }

    /// The end of the first waiting cut's audio.
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

    /// The number of the audio timeline that goes with a cut, if known.
    fn timeline_for(&self, waiting: &Waiting<V>) -> Option<u32> {
        let Some(run) = self.run else {
            let mut held = self.held.iter();
            let first = held.find(|held| held.packet.end() > waiting.start);
            return first.map(|held| held.timeline);
        };
        let same_run = run.number == waiting.cut.facts.run;
        if !same_run && waiting.start < run.end - self.timelines.step() {
            // The pictures were set back, so their audio was too.
            let near = self.base.ticks(MAX_WAIT);
            let mut later = self.held.iter().filter(|held| held.timeline > self.current);
            let found = later.find(|held| (held.packet.pts - waiting.start).abs() <= near);
            return found.map(|held| held.timeline);
        }
        // Audio that was set back by itself counts once the pictures have not followed.
        let alone = self.held.front().filter(|held| {
            held.timeline > self.current && self.passed - held.since > self.video.ticks(MAX_WAIT)
        });
        Some(alone.map_or(self.current, |held| held.timeline))
    }

    /// Returns true if no more packets of a timeline will come before `limit`.
    fn has_passed(&self, timeline: u32, limit: i64) -> bool {
        self.held.back().is_some_and(|held| {
            held.timeline > timeline || (held.timeline == timeline && held.packet.pts >= limit)
        })
    }

    fn is_overdue(&self) -> bool {
        let limit = self.video.ticks(MAX_WAIT);
        let waited = self
            .waiting
            .front()
            .map_or(0, |first| self.passed - first.since);
        waited > limit || self.bytes > MAX_BYTES
    }

    fn segment(&mut self, cut: &Waiting<V>, timeline: Option<u32>, limit: i64) -> AudioSegment<P> {
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
        if let Some(timeline) = timeline {
            self.current = timeline;
            self.skip_to(timeline, cut.start, begins_run);
            let within = |held: &Held<P>| held.timeline == timeline && held.packet.pts < limit;
            while self.held.front().is_some_and(within) {
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

    /// Skips packets before a cut that begins at `start`. In front of a run they may be needed to
    /// decode later ones.
    fn skip_to(&mut self, timeline: u32, start: i64, begins_run: bool) {
        let early = |held: &Held<P>| {
            let until = if begins_run {
                held.packet.end()
            } else {
                held.packet.pts + 1
            };
            held.timeline < timeline || (held.timeline == timeline && until <= start)
        };
        while let Some(first) = self.held.front().filter(|held| early(held)) {
            if first.timeline < timeline || !begins_run {
                self.drop_first();
            } else if let Some(packet) = self.take_first() {
                self.add_preroll(packet);
            }
        }
    }

    /// In front of a run, keeps the last packet, or all packets that the source itself hides.
    fn add_preroll(&mut self, packet: AudioPacket<P>) {
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
