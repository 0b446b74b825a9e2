//! The road to a collector: what waits on it, what was lost, and the two lines that an outage is worth.
//!
//! ```text
//!   a span ends ── enter ─► waiting ── export ─► arrived   some found no room meanwhile: more comes than arrives
//!                    └ full: lost          └ failed: lost, and the road is closed until something arrives
//! ```
//!
//! Nobody waits here. A collector that is down, slow or flooded costs its spans and nothing else. That a road is full says little: only the
//! end of an export tells a collector that is too slow from one that is away, so a line waits for that.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crispy_telemetry::catalogue::{REASON, TELEMETRY_LOST};
use tracing::{info, warn};

use super::{advice::Advice, endpoint::Signal};
use crate::Redacted;

/// The collectors that a process has roads to.
#[derive(Debug, Default)]
pub(super) struct Collectors {
    by_origin: HashMap<String, Arc<Collector>>,
    roads: Vec<Arc<Road>>,
}

/// What all roads to one collector know of it.
#[derive(Debug, Default)]
struct Collector {
    /// The signal whose line about an outage stands for those of all: who cannot be reached is so for each of them.
    speaker: Mutex<Option<&'static str>>,
}

/// The road of one signal to one collector.
#[derive(Debug)]
pub(super) struct Road {
    signal: Signal,
    /// Where it leads to.
    address: String,
    collector: Arc<Collector>,
    /// How many may wait on it.
    room: usize,
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    /// A line has been logged about it.
    said: bool,
    /// Since the trouble began.
    lost: usize,
    last_lost: Option<Instant>,
    /// When the export that is under way began.
    exporting: Option<Instant>,
    /// Why it failed, where the SDK does not say.
    reason: Option<String>,
}

/// What keeps a road from carrying all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Nothing arrives.
    Closed,
    /// More comes than arrives.
    Crowded,
}

/// A road that was crowded is free when nothing was lost for so long: it would be crowded again in the next second.
const CALM: Duration = Duration::from_secs(60);

/// A collector that takes longer for one export will not do better because a program ends.
const SILENCE: Duration = Duration::from_secs(1);

impl Collectors {
    /// A road to the collector at `address`, on which `room` may wait.
    pub(super) fn road(&mut self, signal: Signal, address: &str, room: usize) -> Arc<Road> {
        // Signals differ by their paths at most.
        let origin = url::Url::parse(address).map(|url| url.origin().ascii_serialization());
        let origin = origin.unwrap_or_else(|_| address.to_owned());
        let collector = self.by_origin.entry(origin);
        let road = Arc::new(Road {
            signal,
            address: Redacted(address).to_string(),
            collector: Arc::clone(collector.or_default()),
            room,
            waiting: AtomicUsize::default(),
            state: Mutex::default(),
        });
        self.roads.push(Arc::clone(&road));
        if signal == super::endpoint::TRACES {
            // None yet is a number too: an alert hears of the first one as of an increase.
            for reason in ["queue_full", "export"] {
                TELEMETRY_LOST.add(0, &[(REASON, reason)]);
            }
        }
        road
    }

    /// Whether all of them take what they are sent, as far as is known.
    pub(super) fn are_well(&self) -> bool {
        self.roads.iter().all(|road| road.is_well(Instant::now()))
    }

    /// The program ends: what did not arrive is said.
    pub(super) fn end(&self) {
        self.roads.iter().for_each(|road| road.end());
    }
}

impl Collector {
    fn speaker(&self) -> MutexGuard<'_, Option<&'static str>> {
        self.speaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lose(&mut self, many: usize) {
        self.lost += many;
        self.last_lost = Some(Instant::now());
    }

    /// Whether the trouble is over at `now`, when something has arrived.
    fn is_over(&self, now: Instant) -> bool {
        match self.trouble {
            None => false,
            Some(Trouble::Closed) => true,
            Some(Trouble::Crowded) => self
                .last_lost
                .is_none_or(|last| now.saturating_duration_since(last) >= CALM),
        }
    }
}

impl Road {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room for one more. Where there is none it is lost, and counted.
    pub(super) fn enter(&self) -> bool {
        let entered = self.waiting.fetch_update(Relaxed, Relaxed, |waiting| {
            (waiting < self.room).then_some(waiting + 1)
        });
        if entered.is_ok() {
            return true;
        }
        TELEMETRY_LOST.add(1, &[(REASON, "queue_full")]);
        self.state().lose(1);
        false
    }

    /// An export begins.
    pub(super) fn begins(&self) {
        self.state().exporting = Some(Instant::now());
    }

    /// It has failed, for this reason.
    pub(super) fn hears_why(&self, reason: String) {
        self.state().reason = Some(reason);
    }

    /// Whether there is hope at `now` that something arrives soon.
    fn is_well(&self, now: Instant) -> bool {
        let state = self.state();
        let silent = |began| now.saturating_duration_since(began) > SILENCE;
        state.trouble != Some(Trouble::Closed) && !state.exporting.is_some_and(silent)
    }

    /// So many have arrived.
    pub(super) fn arrived(&self, many: usize) {
        self.left(many);
        let mut state = self.state();
        (state.exporting, state.reason) = (None, None);
        if state.is_over(Instant::now()) {
            let State { said, lost, .. } = std::mem::take(&mut *state);
            drop(state);
            self.collector
                .speaker()
                .take_if(|it| *it == self.signal.word);
            if said {
                info!(
                    collector = self.address,
                    lost, "{} reach the collector again", self.signal.word
                );
            }
        } else if state.lost > 0 && state.trouble.is_none() {
            state.trouble = Some(Trouble::Crowded);
            state.said = true;
            drop(state);
            warn!(
                collector = self.address,
                "more {} than the collector takes: some are lost, and the work goes on; sample fewer with OTEL_TRACES_SAMPLER_ARG, or let \
                 more wait with OTEL_BSP_MAX_QUEUE_SIZE",
                self.signal.word
            );
        }
    }

    /// So many have not, and will not.
    pub(super) fn failed(&self, many: usize, error: &str) {
        self.left(many);
        if self.signal == super::endpoint::TRACES {
            TELEMETRY_LOST.add(many as u64, &[(REASON, "export")]);
        }
        let advice = Advice::on(error);
        let mut state = self.state();
        state.exporting = None;
        let reason = state.reason.take();
        let error = reason.map_or(error.to_owned(), |reason| format!("{error}: {reason}"));
        state.lose(many);
        if state.trouble.replace(Trouble::Closed) != Some(Trouble::Closed) {
            state.said = false;
        }
        if state.said || !self.may_say(advice) {
            return;
        }
        state.said = true;
        drop(state);
        warn!(
            collector = self.address,
            error,
            "{} do not reach the collector: they are dropped until they do, and the work goes on; {}",
            self.signal.word,
            advice.text(self.signal)
        );
    }

    /// Whether no other signal has said it. What a collector has against one of them is that one's own news.
    fn may_say(&self, advice: Advice) -> bool {
        advice != Advice::Look
            || *self.collector.speaker().get_or_insert(self.signal.word) == self.signal.word
    }

    fn left(&self, many: usize) {
        // Metrics do not wait: there is nothing to take them from.
        let left = |waiting: usize| Some(waiting.saturating_sub(many));
        let _ = self.waiting.fetch_update(Relaxed, Relaxed, left);
    }

    /// What is still waiting is lost too, and is said if nothing else was. Nobody misses the last of the metrics.
    fn end(&self) {
        if self.signal != super::endpoint::TRACES {
            return;
        }
        let waiting = self.waiting.load(Relaxed);
        let lost = self.state().lost + waiting;
        if lost > 0 {
            info!(
                collector = self.address,
                lost, "{} that the collector did not take are lost", self.signal.word
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::endpoint::{METRICS, TRACES};
    use crate::logging::testing::Heard;

    const COLLECTOR: &str = "http://u:secret@collector:4317";

    fn road(room: usize) -> Arc<Road> {
        Collectors::default().road(TRACES, COLLECTOR, room)
    }

    #[test]
    fn an_outage_is_one_line_and_its_end_another_that_counts_what_was_lost() {
        let road = road(10);
        let heard = Heard::during(|| {
            for _ in 0..3 {
                assert!(road.enter());
                road.failed(1, "connection refused");
            }
            assert!(road.enter());
            road.arrived(1);
            assert!(road.enter());
            road.arrived(1);
        });
        let [warning, end] = &heard.lines()[..] else {
            panic!("{heard:?}")
        };
        assert!(
            warning.contains("WARN traces do not reach") && warning.contains("connection refused"),
            "{warning}"
        );
        assert!(!warning.contains("secret"), "{warning}");
        assert!(
            end.contains("INFO traces reach the collector again") && end.contains("lost=3"),
            "{end}"
        );
    }

    #[test]
    fn a_full_road_is_one_line_until_nothing_was_lost_for_a_minute() {
        let road = road(4);
        let heard = Heard::during(|| {
            let entered = (0..10).filter(|_| road.enter()).count();
            assert_eq!(entered, 4);
            assert!(road.state().trouble.is_none(), "it may be away");
            road.arrived(1);
            assert!(road.enter() && !road.enter());
            road.arrived(3);
            road.end();
        });
        let [warning, end] = &heard.lines()[..] else {
            panic!("{heard:?}")
        };
        assert!(warning.contains("OTEL_BSP_MAX_QUEUE_SIZE"), "{warning}");
        assert!(end.contains("lost=8"), "seven, and one on its way: {end}");
        let state = road.state();
        let last = state.last_lost.expect("some were lost");
        assert!(state.is_over(last + CALM) && !state.is_over(last + CALM / 2));
    }

    #[test]
    fn a_collector_that_nothing_reaches_is_one_line_for_all_signals() {
        let mut collectors = Collectors::default();
        let traces = collectors.road(TRACES, "http://c:4318/v1/traces", 10);
        let metrics = collectors.road(METRICS, "http://c:4318/v1/metrics", 10);
        let other = collectors.road(METRICS, "http://other:4318/v1/metrics", 10);
        let heard = Heard::during(|| {
            traces.failed(1, "connection refused");
            metrics.failed(1, "connection refused");
            other.failed(1, "connection refused");
            // One comes back, one does not.
            traces.arrived(1);
            metrics.failed(1, "connection refused");
            metrics.arrived(1);
            // What is against one signal alone says nothing of another.
            metrics.failed(1, "status code: 404");
            traces.failed(1, "connection refused");
        });
        let lines = heard.lines();
        let words = |line: &String| line.split_once("  ").map_or("", |(_, it)| it)[..30].to_owned();
        let begun: Vec<_> = lines.iter().map(words).collect();
        assert_eq!(
            begun,
            [
                "WARN traces do not reach the c",
                "WARN metrics do not reach the ",
                "INFO traces reach the collecto",
                "WARN metrics do not reach the ",
                "INFO metrics reach the collect",
                "WARN metrics do not reach the ",
                "WARN traces do not reach the c",
            ],
            "{lines:#?}"
        );
        assert!(lines[1].contains("http://other:4318"), "{}", lines[1]);
        assert!(
            lines[5].contains("OTEL_METRICS_EXPORTER=prometheus"),
            "{}",
            lines[5]
        );
    }

    #[test]
    fn a_road_that_is_full_because_nothing_arrives_is_one_line_and_not_of_a_crowd() {
        let road = road(2);
        let heard = Heard::during(|| {
            while road.enter() {}
            road.failed(1, "timed out");
            while road.enter() {}
            road.failed(2, "timed out");
        });
        let [line] = &heard.lines()[..] else {
            panic!("{heard:?}")
        };
        assert!(line.contains("do not reach"), "{line}");
    }

    #[test]
    fn there_is_no_hope_of_a_road_that_is_closed_or_on_which_an_export_hangs() {
        let road = road(10);
        let now = Instant::now();
        let _heard = Heard::during(|| {
            assert!(road.is_well(now));
            road.begins();
            assert!(road.is_well(now), "it may take a moment");
            assert!(!road.is_well(now + SILENCE * 2));
            road.failed(1, "timed out");
            assert!(!road.is_well(now));
            road.begins();
            road.arrived(1);
            assert!(road.is_well(now + SILENCE * 2));
        });
    }
}
