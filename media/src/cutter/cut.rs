//! A finished cut, and its facts.

use std::time::Duration;

use super::facts::{CutFacts, StartKind};
use super::sample::{Picture, Sample};
use crate::time::Timebase;

/// A stretch of packets in decode order, with the facts about it. Never without a shown packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut<P> {
    pub(crate) samples: Vec<Sample<P>>,
    pub(crate) facts: CutFacts,
    /// True for the last cut of its run.
    pub(crate) ends_run: bool,
}

/// The facts that a cut inherits from its run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CutContext {
    pub(crate) run: u32,
    pub(crate) gap_before: Option<i64>,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) end_inferred: bool,
    pub(crate) origin: i64,
    pub(crate) timebase: Timebase,
    pub(crate) window: Duration,
    pub(crate) lost: u32,
    pub(crate) ends_run: bool,
}

impl<P> Cut<P> {
    /// A cut with its facts counted from the samples.
    pub(crate) fn new(samples: Vec<Sample<P>>, context: CutContext) -> Cut<P> {
        let count = |what: &dyn Fn(&Sample<P>) -> bool| {
            u32::try_from(samples.iter().filter(|&sample| what(sample)).count()).unwrap_or(u32::MAX)
        };
        let shown = count(&|sample| !sample.hidden);
        let start = start_kind(&samples);
        let facts = CutFacts {
            run: context.run,
            gap_before: context.gap_before,
            start_ticks: context.start,
            end_ticks: context.end,
            origin_ticks: context.origin,
            timebase: context.timebase,
            nominal_window: context.window,
            packets: shown,
            frames: shown - count(&|sample| !sample.hidden && sample.completes_frame),
            key_frames: count(&|sample| !sample.hidden && sample.picture.is_key()),
            start,
            hidden_preroll: count(&|sample| sample.hidden),
            lost: context.lost,
            corrupt: count(&|sample| sample.corrupt),
            pts_inferred: samples.iter().any(|sample| sample.inferred),
            end_inferred: context.end_inferred,
            depends_on_previous: start == StartKind::None,
        };
        Cut {
            samples,
            facts,
            ends_run: context.ends_run,
        }
    }
}

/// The kind of the first sample. Pictures shown before the key frame but stored after it do not
/// decode without the previous chunk.
fn start_kind<P>(samples: &[Sample<P>]) -> StartKind {
    match samples.first().map(|first| (first.picture, first.pts)) {
        Some((Picture::Idr, _)) => StartKind::Idr,
        Some((Picture::OpenKey, key)) => {
            let needs = |sample: &&Sample<P>| sample.picture != Picture::DecodableLeading;
            let leading = samples
                .iter()
                .filter(|sample| !sample.hidden && sample.pts < key)
                .filter(needs)
                .count();
            StartKind::Open {
                leading: u32::try_from(leading).unwrap_or(u32::MAX),
            }
        }
        Some((Picture::RecoveryPoint, _)) => StartKind::RecoveryPoint,
        Some((Picture::Dependent | Picture::DecodableLeading, _)) | None => StartKind::None,
    }
}
