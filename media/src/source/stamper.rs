//! Times for packets that come without.
//!
//! Most sources stamp every packet, and then this is passed through. Where they do not:
//!
//! * pictures in the order of showing follow each other at the frame's interval;
//! * reordered H.264 and H.265 (raw files, AVI) are put in order by the count in their slices. By how much it grows from
//!   one shown picture to the next (1 or 2) is learned from the first pictures, which are held until then.

use std::collections::VecDeque;

use crate::bitstream::{PictureOrder, Place};
use crate::cutter::Sample;
use crate::ffi::Packet;

/// How many pictures are held to learn by how much the count grows: more than any codec reorders.
const LEARN: usize = 34;

/// A sample whose time is what the source said, if anything.
pub(super) struct Unstamped {
    /// `pts` is not yet right.
    pub(super) sample: Sample<Packet>,
    /// When it is shown, says the source.
    pub(super) pts: Option<i64>,
    /// When it is decoded, says the source.
    pub(super) dts: Option<i64>,
}

/// Gives every sample a time of showing, in the same order in which they come.
pub(super) struct Stamper {
    /// The time between two frames, in ticks, at least 1.
    interval: i64,
    /// When the next picture would be decoded, if it is decoded after the one before.
    next: Option<i64>,
    order: Option<PictureOrder>,
    /// The first pictures without a time, each with its place.
    held: VecDeque<(Unstamped, Place)>,
    rule: Option<Rule>,
    ready: VecDeque<Sample<Packet>>,
}

/// How counts become times.
#[derive(Clone, Copy)]
struct Rule {
    /// By how much the count grows from one shown picture to the next.
    step: i64,
    /// The time of count 0.
    zero: i64,
}

impl Stamper {
    /// For frames that are `interval` ticks apart; `order` where pictures may be stored in another order than shown.
    pub(super) fn new(interval: i64, order: Option<PictureOrder>) -> Stamper {
        Stamper {
            interval: interval.max(1),
            next: None,
            order,
            held: VecDeque::new(),
            rule: None,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next sample in the order of decoding.
    pub(super) fn push(&mut self, unstamped: Unstamped) {
        let place = match (unstamped.pts, &mut self.order) {
            (None, Some(order)) => order.place(unstamped.sample.payload.data()),
            _ => None,
        };
        match place {
            Some(place) => {
                self.held.push_back((unstamped, place));
                let restarted = self.held.len() > 1 && place.restarts;
                if self.rule.is_some() || self.held.len() >= LEARN || restarted {
                    self.release();
                }
            }
            None => {
                self.release();
                self.rule = None; // counts and times may have parted since
                let told = unstamped.pts.or(unstamped.dts);
                let pts = told.or_else(|| self.following(&unstamped.sample));
                let pts = pts.unwrap_or(0);
                self.stamp(unstamped, pts);
            }
        }
    }

    /// The source is over: nothing is held any longer.
    pub(super) fn finish(&mut self) {
        self.release();
    }

    /// The next sample with a time.
    pub(super) fn pop(&mut self) -> Option<Sample<Packet>> {
        self.ready.pop_front()
    }

    /// Stamps what is held, by what has been learned.
    fn release(&mut self) {
        let step = self.rule.map_or_else(|| self.learn(), |rule| rule.step);
        while let Some((unstamped, place)) = self.held.pop_front() {
            let decoded = unstamped.dts.or(self.next).unwrap_or(0);
            let rule = match self.rule {
                Some(rule) if !place.restarts => rule,
                _ => Rule {
                    step,
                    zero: decoded - place.count * self.interval / step,
                },
            };
            self.rule = Some(rule);
            self.stamp(
                unstamped,
                rule.zero + place.count * self.interval / rule.step,
            );
        }
    }

    /// The smallest step between the counts that are held.
    fn learn(&self) -> i64 {
        // up to where the count starts again: across that, differences mean nothing
        let run = self
            .held
            .iter()
            .enumerate()
            .take_while(|(n, (_, place))| *n == 0 || !place.restarts);
        let mut counts: Vec<i64> = run.map(|(_, (_, place))| place.count).collect();
        counts.sort_unstable();
        let steps = counts
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .filter(|&step| step > 0);
        steps.min().unwrap_or(1)
    }

    /// When a packet without any time is shown: after the one before, and a second field in the middle of its frame.
    fn following(&self, sample: &Sample<Packet>) -> Option<i64> {
        let into_frame = if sample.completes_frame {
            self.interval / 2
        } else {
            0
        };
        self.next.map(|next| next - into_frame)
    }

    fn stamp(&mut self, unstamped: Unstamped, pts: i64) {
        let Unstamped {
            mut sample,
            pts: told,
            dts,
        } = unstamped;
        let inferred = told.is_none();
        let mut advance = sample.duration.unwrap_or(self.interval);
        if inferred && dts.is_none() {
            // libav's length of such a packet is a guess too: some versions give each field that of a frame
            let (duration, further) = match sample.completes_frame {
                false => (self.interval, self.interval),
                true => (self.interval / 2, 0),
            };
            sample.duration = Some(duration);
            advance = further;
        }
        // of pictures that are put in order, each takes one place in the order of decoding
        let decoded = dts.or(self.next.filter(|_| inferred));
        self.next = Some(decoded.unwrap_or(pts) + advance);
        sample.pts = pts;
        sample.inferred |= inferred;
        self.ready.push_back(sample);
    }
}
