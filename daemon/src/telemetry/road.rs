//! The road to a collector: what waits on it, what was lost, and the two lines that an outage is worth.
//!
//! ```text
//!   a span ends ── enter ─► waiting ── export ─► arrived
//!                    └ full: lost          └ failed: lost, and the road is closed until something arrives
//! ```
//!
//! Nobody waits here. A collector that is down, slow or flooded costs its spans and nothing else.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use instruments::catalogue::{REASON, TELEMETRY_LOST};
use tracing::{info, warn};

use super::endpoint::Signal;
use crate::Redacted;

/// The road of one signal to one collector.
#[derive(Debug)]
pub(super) struct Road {
    signal: Signal,
    /// Where it leads to.
    collector: String,
    /// How many may wait on it.
    room: usize,
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<Trouble>,
    /// Since the trouble began.
    lost: usize,
    last_lost: Option<Instant>,
}

/// What a line has been logged about already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Nothing arrives.
    Closed,
    /// More comes than arrives.
    Crowded,
}

/// A road that was crowded is free when nothing was lost for so long: it would be crowded again in the next second.
const CALM: Duration = Duration::from_secs(60);

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
    pub(super) fn new(signal: Signal, collector: &str, room: usize) -> Self {
        Self {
            signal,
            collector: Redacted(collector).to_string(),
            room,
            waiting: AtomicUsize::new(0),
            state: Mutex::default(),
        }
    }

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
        let mut state = self.state();
        state.lose(1);
        if state.trouble.is_none() {
            state.trouble = Some(Trouble::Crowded);
            drop(state);
            warn!(
                collector = self.collector,
                "more {} than the collector takes: some are lost, and the work goes on; sample fewer with OTEL_TRACES_SAMPLER_ARG, or let \
                 more wait with OTEL_BSP_MAX_QUEUE_SIZE",
                self.signal.word
            );
        }
        false
    }

    /// So many have arrived.
    pub(super) fn arrived(&self, many: usize) {
        self.left(many);
        let mut state = self.state();
        if state.is_over(Instant::now()) {
            let State { lost, .. } = std::mem::take(&mut *state);
            drop(state);
            info!(
                collector = self.collector,
                lost, "{} reach the collector again", self.signal.word
            );
        }
    }

    /// So many have not, and will not.
    pub(super) fn failed(&self, many: usize, error: &str) {
        self.left(many);
        if self.signal == super::endpoint::TRACES {
            TELEMETRY_LOST.add(many as u64, &[(REASON, "export")]);
        }
        let mut state = self.state();
        state.lose(many);
        if state.trouble.replace(Trouble::Closed) != Some(Trouble::Closed) {
            drop(state);
            warn!(
                collector = self.collector,
                error,
                "{} do not reach the collector: they are dropped until they do, and the work goes on; {}",
                self.signal.word,
                advice(self.signal, error)
            );
        }
    }

    fn left(&self, many: usize) {
        // Metrics do not wait: there is nothing to take them from.
        let left = |waiting: usize| Some(waiting.saturating_sub(many));
        let _ = self.waiting.fetch_update(Relaxed, Relaxed, left);
    }

    /// The program ends: what is still waiting is lost too, and is said if nothing else was.
    pub(super) fn end(&self) {
        let waiting = self.waiting.load(Relaxed);
        let lost = self.state().lost + waiting;
        if lost > 0 {
            info!(
                collector = self.collector,
                lost, "{} that the collector did not take are lost", self.signal.word
            );
        }
    }
}

/// What to do about an export that failed. The SDK tells of it in words only.
fn advice(signal: Signal, error: &str) -> String {
    // Jaeger answers so, which keeps traces and nothing else.
    let takes_none = ["Unimplemented", "status code: 404"];
    if takes_none.iter().any(|sign| error.contains(sign)) {
        return format!(
            "it does not take them: set OTEL_{}_EXPORTER=none, or send them elsewhere",
            signal.variable
        );
    }
    let refused = [
        "Unauthenticated",
        "PermissionDenied",
        "status code: 401",
        "status code: 403",
    ];
    if refused.iter().any(|sign| error.contains(sign)) {
        return "it refuses the credentials: check OTEL_EXPORTER_OTLP_HEADERS".into();
    }
    "check the collector, OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL".into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::logging::testing::Heard;
    use crate::telemetry::endpoint::{METRICS, TRACES};

    fn road(room: usize) -> Arc<Road> {
        Arc::new(Road::new(TRACES, "http://u:secret@collector:4317", room))
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
    fn what_to_do_depends_on_what_the_collector_said() {
        for (error, advice_has) in [
            (
                "failed with gRPC code: Unimplemented",
                "OTEL_METRICS_EXPORTER=none",
            ),
            (
                "HTTP export failed with status code: 404",
                "OTEL_METRICS_EXPORTER=none",
            ),
            (
                "failed with gRPC code: Unauthenticated",
                "OTEL_EXPORTER_OTLP_HEADERS",
            ),
            (
                "HTTP export failed: network error",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
            ),
        ] {
            assert!(advice(METRICS, error).contains(advice_has), "{error}");
        }
    }
}
