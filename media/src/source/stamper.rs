//! Presentation times for packets without one.
//!
//! Most sources stamp every packet, which passes through unchanged. Otherwise:
//!
//! * pictures in presentation order follow each other at the frame's interval;
//! * reordered H.264 and H.265 (raw files, AVI) are ordered by the count in their slices. The step
//!   of the count from one shown picture to the next (1 or 2) is learned from the first pictures,
//!   which are held until then.

use std::collections::VecDeque;

use crate::bitstream::{OrderCount, PictureOrder};
use crate::cutter::{Picture, Sample};
use crate::ffi::Packet;

/// Pictures that are held to learn the step of the count: more than any codec reorders.
const LEARN: usize = 34;

/// A packet that has no reliable presentation time yet.
pub(super) struct Unstamped {
    pub(super) packet: Packet,
    pub(super) picture: Picture,
    /// True for the second field of the frame that the previous packet began.
    pub(super) completes_frame: bool,
    /// Number of its sample entry.
    pub(super) entry: u32,
    /// True if libav inferred its presentation time.
    pub(super) inferred: bool,
}

/// Gives every packet a presentation time, in the order in which they come.
pub(super) struct Stamper {
    /// The time between two frames in ticks, at least 1.
    interval: i64,
    /// Decode time of the next picture, if it is decoded right after the previous one.
    next: Option<i64>,
    order: Option<PictureOrder>,
    /// The first pictures without a time, each with its count.
    held: VecDeque<(Unstamped, OrderCount)>,
    rule: Option<Rule>,
    ready: VecDeque<Sample<Packet>>,
}

/// The conversion of counts to times.
#[derive(Clone, Copy)]
struct Rule {
    /// Step of the count from one shown picture to the next.
    step: i64,
    /// The time of count 0.
    zero: i64,
}

impl Stamper {
    /// For frames that are `interval` ticks apart; `order` if decode and presentation order may
    /// differ.
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

    /// Takes the next packet in decode order.
    pub(super) fn push(&mut self, unstamped: Unstamped) {
        let packet = &unstamped.packet;
        let count = match (packet.pts(), &mut self.order) {
            (None, Some(order)) => order.count(packet.data()),
            _ => None,
        };
        match count {
            Some(count) => {
                self.held.push_back((unstamped, count));
                let restarted = self.held.len() > 1 && count.restarts;
                if self.rule.is_some() || self.held.len() >= LEARN || restarted {
                    self.release();
                }
            }
            None => {
                self.release();
                self.rule = None; // Counts and times may have diverged since.
                let packet = &unstamped.packet;
                let stamp = packet.pts().or(packet.dts());
                let pts = stamp.or_else(|| self.following(unstamped.completes_frame));
                self.stamp(unstamped, pts.unwrap_or(0));
            }
        }
    }

    /// Ends the source: stamps all held packets.
    pub(super) fn finish(&mut self) {
        self.release();
    }

    /// The next packet with a time.
    pub(super) fn pop(&mut self) -> Option<Sample<Packet>> {
        self.ready.pop_front()
    }

    /// Stamps the held packets by the learned step.
    fn release(&mut self) {
        let step = self.rule.map_or_else(|| self.learn(), |rule| rule.step);
        while let Some((unstamped, count)) = self.held.pop_front() {
            let decoded = unstamped.packet.dts().or(self.next).unwrap_or(0);
            let rule = match self.rule {
                Some(rule) if !count.restarts => rule,
                _ => Rule {
                    step,
                    zero: decoded - count.value * self.interval / step,
                },
            };
            self.rule = Some(rule);
            let pts = rule.zero + count.value * self.interval / rule.step;
            self.stamp(unstamped, pts);
        }
    }

    /// The smallest step between the held counts.
    fn learn(&self) -> i64 {
        // Up to the next restart: differences across it are meaningless.
        let run = self
            .held
            .iter()
            .enumerate()
            .take_while(|(n, (_, count))| *n == 0 || !count.restarts);
        let mut counts: Vec<i64> = run.map(|(_, (_, count))| count.value).collect();
        counts.sort_unstable();
        let steps = counts
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .filter(|&step| step > 0);
        steps.min().unwrap_or(1)
    }

    /// The presentation time of a packet without any stamp: after the previous one, or for a second
    /// field the middle of its frame.
    fn following(&self, completes_frame: bool) -> Option<i64> {
        let into_frame = if completes_frame {
            self.interval / 2
        } else {
            0
        };
        self.next.map(|next| next - into_frame)
    }

    fn stamp(&mut self, unstamped: Unstamped, pts: i64) {
        let Unstamped {
            packet,
            picture,
            completes_frame,
            entry,
            inferred,
        } = unstamped;
        let (stamped, dts) = (packet.pts().is_some(), packet.dts());
        let mut duration = packet.duration();
        let mut advance = duration.unwrap_or(self.interval);
        if !stamped && dts.is_none() {
            // libav's duration of such a packet is a guess too: some versions give each field that
            // of a frame.
            let (field, further) = match completes_frame {
                false => (self.interval, self.interval),
                true => (self.interval / 2, 0),
            };
            duration = Some(field);
            advance = further;
        }
        // Each reordered picture takes one slot in decode order.
        let decoded = dts.or(self.next.filter(|_| !stamped));
        self.next = Some(decoded.unwrap_or(pts) + advance);
        self.ready.push_back(Sample {
            pts,
            duration,
            picture,
            completes_frame,
            hidden: packet.is_hidden(),
            corrupt: packet.is_corrupt(),
            inferred: inferred || !stamped,
            entry,
            size: packet.data().len(),
            payload: packet,
        });
    }
}
