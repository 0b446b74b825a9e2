//! Cuts packets in decode order into chunks.
//!
//! ```text
//!   grid        |           |           |           |   origin + n * window
//!   packets     K . . . . K . . . . K . . . . K . . . . K
//!   cuts        |           '-----> |       '-> |        first key frame at or after each line
//! ```
//!
//! Pure: no clock, no I/O, no FFmpeg; the payload is an opaque type parameter. The start of a chunk
//! is known only after its key frame, since pictures shown before the key may be stored after it.
//! So a cut is *proposed* at a key frame and *made* when the first packet shown after that key
//! arrives; only then is the length of the frame before the cut known too. A proposal that would
//! put two chunks' pictures in the wrong order is withdrawn, and the next key frame is tried.

mod cadence;
mod cut;
mod facts;
mod limits;
mod sample;
mod timeline;

#[cfg(test)]
mod properties;

use std::collections::VecDeque;
use std::time::Duration;

pub(crate) use cut::Cut;
use cut::CutContext;
pub use facts::{CutFacts, StartKind};
pub(crate) use limits::Limits;
pub(crate) use sample::{Picture, Sample};
use timeline::Timeline;

use crate::time::Timebase;

/// How early a key frame may be and still count as on the grid: Matroska rounds to milliseconds and
/// cameras jitter. Without it, an occasional chunk would be twice as long.
const SLACK: Duration = Duration::from_micros(500);

/// Timing of a stream, known before its first packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The unit of all ticks.
    pub(crate) timebase: Timebase,
    /// Bits after which its timestamps wrap; 64 for never.
    pub(crate) timestamp_bits: u32,
    /// The time between two frames by its header.
    pub(crate) frame_interval: Option<Duration>,
}

/// Cuts one stream.
///
/// Every pushed packet comes out in exactly one cut, in the same order, except packets before the
/// first key frame: they are counted as lost. Within a run the intervals of the cuts are gapless
/// and never empty.
pub(crate) struct Cutter<P> {
    timebase: Timebase,
    window: Duration,
    limits: Limits,
    timeline: Timeline,
    /// Packets that are in no cut yet, in decode order.
    held: Vec<Sample<P>>,
    /// First and latest presentation timestamps among `held`, before the proposal if there is one.
    span: Option<Span>,
    proposal: Option<Proposal>,
    run: Run,
    /// Packets before any key frame, not yet reported.
    lost: u32,
    /// Bytes and time since the last point at which decoding can begin.
    group: Group,
    /// True while waiting for a better key frame than an open one has paid off.
    patient: bool,
    ready: VecDeque<Cut<P>>,
}

/// Presentation timestamps from the first to the latest.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: i64,
    latest: i64,
}

impl Span {
    fn with(span: Option<Span>, pts: i64) -> Span {
        span.map_or(
            Span {
                first: pts,
                latest: pts,
            },
            |span| Span {
                first: span.first.min(pts),
                latest: span.latest.max(pts),
            },
        )
    }
}

/// A cut that waits for the first packet shown after its key frame.
#[derive(Clone, Copy, Debug)]
struct Proposal {
    /// Index in `held` of the first packet of the new chunk.
    index: usize,
    /// Presentation time of its key frame.
    key: i64,
    /// True if the key frame needs other codec parameters: then the cut cannot be withdrawn.
    entry_changes: bool,
    /// Presentation timestamps from its key frame on.
    span: Span,
}

/// Position in the source's timelines.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    number: u32,
    origin: Option<i64>,
    /// The end of the previous cut, which is the start of the next one.
    end: Option<i64>,
    /// The end of the previous run, until the first cut of this one has reported it.
    previous_end: Option<i64>,
}

/// The end of a chunk.
#[derive(Clone, Copy, Debug)]
enum End {
    /// At the start of the next one.
    Cut(i64),
    /// With the last frame of a run, whose duration may be inferred from its neighbours.
    OfRun { end: i64, inferred: bool },
}

/// The current group of pictures.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    start: i64,
    bytes: usize,
}

impl<P> Cutter<P> {
    /// A cutter for a stream; `window` is the nominal length of a chunk.
    pub(crate) fn new(pace: Pace, window: Duration, limits: Limits) -> Cutter<P> {
        Cutter {
            timebase: pace.timebase,
            window,
            limits,
            timeline: Timeline::new(pace.timebase, pace.timestamp_bits, pace.frame_interval),
            held: Vec::new(),
            span: None,
            proposal: None,
            run: Run::default(),
            lost: 0,
            group: Group::default(),
            patient: true,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next packet in decode order.
    pub(crate) fn push(&mut self, mut sample: Sample<P>) {
        let placed = self.timeline.place(sample.pts);
        sample.pts = placed.pts;
        if placed.jumped {
            self.end_run();
        }
        if self.is_unusable(&sample) {
            self.lost += 1;
            return;
        }
        if self.settles(&sample) || self.changes_entry(&sample) {
            self.settle();
        }
        if self.changes_entry(&sample) && !self.is_after(&sample) {
            // One chunk cannot hold both, and time does not separate them.
            self.end_run();
        }
        if self.proposal.is_none() && self.wants_cut(&sample) {
            let span = Span {
                first: sample.pts,
                latest: sample.pts,
            };
            self.proposal = Some(Proposal {
                index: self.held.len(),
                key: sample.pts,
                entry_changes: self.changes_entry(&sample),
                span,
            });
        }
        self.hold(sample);
    }

    /// Ends the source: the held packets become the last cut.
    pub(crate) fn finish(&mut self) {
        self.end_run();
    }

    /// The next finished cut.
    pub(crate) fn pop(&mut self) -> Option<Cut<P>> {
        self.ready.pop_front()
    }

    /// The latest presentation time of the current run, unwrapped.
    pub(crate) fn latest(&self) -> Option<i64> {
        self.timeline.latest()
    }

    /// Packets before any key frame that are in no cut's facts yet.
    pub(crate) fn lost(&self) -> u32 {
        self.lost
    }

    /// Nothing can be decoded before the source's first key frame. After a jump it can, by joining
    /// it to the previous run.
    fn is_unusable(&self, sample: &Sample<P>) -> bool {
        let nothing_yet =
            self.held.is_empty() && self.run.end.is_none() && self.run.previous_end.is_none();
        nothing_yet
            && matches!(
                sample.picture,
                Picture::Dependent | Picture::DecodableLeading
            )
    }

    /// Returns true if this packet settles the proposed cut: no later packet is shown before it.
    fn settles(&self, sample: &Sample<P>) -> bool {
        self.proposal
            .is_some_and(|proposal| !sample.hidden && sample.pts > proposal.key)
    }

    /// Makes the proposed cut, or withdraws it if pictures after it are shown before pictures in
    /// front of it.
    fn settle(&mut self) {
        let Some(proposal) = self.proposal.take() else {
            return;
        };
        let rest = self.held.split_off(proposal.index);
        match self.span {
            Some(before) if before.latest < proposal.span.first => {
                let samples = std::mem::replace(&mut self.held, rest);
                self.emit(samples, before.first, End::Cut(proposal.span.first));
                self.span = Some(proposal.span);
            }
            _ if proposal.entry_changes => {
                self.close_run();
                self.held = rest;
                self.span = Some(proposal.span);
            }
            before => {
                self.held.extend(rest);
                let first = Span::with(before, proposal.span.first);
                self.span = Some(Span::with(Some(first), proposal.span.latest));
            }
        }
    }

    /// Returns true if a packet needs other codec parameters than the previous one.
    fn changes_entry(&self, sample: &Sample<P>) -> bool {
        self.held
            .last()
            .is_some_and(|last| last.entry != sample.entry)
    }

    /// Returns true if a packet is shown after all held ones.
    fn is_after(&self, sample: &Sample<P>) -> bool {
        !sample.hidden && self.span.is_some_and(|span| sample.pts > span.latest)
    }

    fn wants_cut(&mut self, sample: &Sample<P>) -> bool {
        let (Some(span), Some(begin)) = (self.span, self.held.first()) else {
            return false;
        };
        let must = begin.picture == Picture::Dependent;
        match sample.picture {
            _ if sample.hidden => false,
            _ if self.changes_entry(sample) => true,
            Picture::Idr => {
                self.patient = true;
                must || self.windows_since(span.first, sample.pts) >= 1
            }
            Picture::OpenKey => {
                let windows = self.windows_since(span.first, sample.pts);
                let enough = must || windows >= if self.patient { 2 } else { 1 };
                self.patient &= !(enough && windows >= 2);
                enough
            }
            Picture::RecoveryPoint | Picture::DecodableLeading | Picture::Dependent => {
                let lasted = self.timebase.duration(sample.pts - self.group.start);
                sample.pts > span.latest && self.limits.is_too_long(lasted, self.group.bytes)
            }
        }
    }

    /// The number of grid lines between the chunk's start and `pts`.
    fn windows_since(&self, start: i64, pts: i64) -> i64 {
        let origin = self.run.origin.unwrap_or(start);
        let line = |pts: i64| self.timebase.interval(pts - origin, self.window, SLACK);
        line(pts) - line(start)
    }

    fn hold(&mut self, sample: Sample<P>) {
        let splits = self
            .proposal
            .is_some_and(|proposal| proposal.index == self.held.len());
        if sample.picture.is_key() || splits || self.held.is_empty() {
            self.group = Group {
                start: sample.pts,
                bytes: 0,
            };
        }
        self.group.bytes += sample.size;
        if !sample.hidden {
            match &mut self.proposal {
                Some(proposal) => proposal.span = Span::with(Some(proposal.span), sample.pts),
                None => self.span = Some(Span::with(self.span, sample.pts)),
            }
        }
        self.held.push(sample);
    }

    /// Ends the timeline: nothing is held any more, and the next packet begins a new run.
    fn end_run(&mut self) {
        self.settle();
        self.close_run();
    }

    /// Makes the last cut of a run from all held packets.
    fn close_run(&mut self) {
        let samples = std::mem::take(&mut self.held);
        let last = samples
            .iter()
            .filter(|sample| !sample.hidden)
            .max_by_key(|sample| sample.pts);
        match (self.span.take(), last) {
            (Some(span), Some(last)) => {
                let inferred = last.duration.is_none();
                let end = last.pts
                    + last
                        .duration
                        .unwrap_or_else(|| self.timeline.interval())
                        .max(1);
                self.emit(samples, span.first, End::OfRun { end, inferred });
            }
            // Only hidden packets, in front of a picture that never came.
            _ => self.lost += u32::try_from(samples.len()).unwrap_or(u32::MAX),
        }
        if let Some(end) = self.run.end {
            self.run = Run {
                number: self.run.number + 1,
                previous_end: Some(end),
                ..Run::default()
            };
        }
    }

    fn emit(&mut self, samples: Vec<Sample<P>>, first: i64, end: End) {
        let (end, ends_run, end_inferred) = match end {
            End::Cut(end) => (end, false, false),
            End::OfRun { end, inferred } => (end, true, inferred),
        };
        // Gapless by construction: despite a late packet's timestamp, a chunk starts at the end of
        // the previous one.
        let start = self.run.end.unwrap_or(first);
        let context = CutContext {
            run: self.run.number,
            gap_before: self
                .run
                .previous_end
                .take()
                .map(|previous| start - previous),
            start,
            end,
            end_inferred,
            ends_run,
            origin: *self.run.origin.get_or_insert(start),
            timebase: self.timebase,
            window: self.window,
            lost: std::mem::take(&mut self.lost),
        };
        self.run.end = Some(end);
        self.ready.push_back(Cut::new(samples, context));
    }
}
