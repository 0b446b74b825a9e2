//! A finished cut, and what there is to say about it.

use std::time::Duration;

use super::sample::{Picture, Sample};
use crate::chunk::{CutFacts, StartKind};
use crate::time::Timebase;

/// A stretch of packets in the order of decoding, with the facts about it. Never without a shown packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut<P> {
    pub(crate) samples: Vec<Sample<P>>,
    pub(crate) facts: CutFacts,
    /// Whether it is the last of its run.
    pub(crate) ends_run: bool,
}

/// What a cut inherits from the run it lies in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
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
    /// Counts what is in the samples.
    pub(crate) fn new(samples: Vec<Sample<P>>, place: Place) -> Cut<P> {
        let count = |what: &dyn Fn(&Sample<P>) -> bool| {
            u32::try_from(samples.iter().filter(|&sample| what(sample)).count()).unwrap_or(u32::MAX)
        };
        let shown = count(&|sample| !sample.hidden);
        let start = start_kind(&samples);
        let facts = CutFacts {
            run: place.run,
            gap_before: place.gap_before,
            start_ticks: place.start,
            end_ticks: place.end,
            origin_ticks: place.origin,
            timebase: place.timebase,
            nominal_window: place.window,
            packets: shown,
            frames: shown - count(&|sample| !sample.hidden && sample.completes_frame),
            key_frames: count(&|sample| !sample.hidden && sample.picture.is_key()),
            start,
            hidden_preroll: count(&|sample| sample.hidden),
            lost: place.lost,
            corrupt: count(&|sample| sample.corrupt),
            pts_inferred: samples.iter().any(|sample| sample.inferred),
            end_inferred: place.end_inferred,
            depends_on_previous: start == StartKind::None,
        };
        Cut {
            samples,
            facts,
            ends_run: place.ends_run,
        }
    }
}

/// With what the samples begin. Pictures shown before the key frame but stored after it are lost without the chunk before.
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
