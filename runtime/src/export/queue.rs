//! Spans and metrics on their way to a collector: bounded, counted, two log lines per outage.
//!
//! ```text
//!   a span ends ─► admit ─► waiting ─► export ─┬► exported: a line, if an outage is over
//!                    └ full: lost              └► failed: lost; a line, if an outage begins
//! ```
//!
//! Nothing waits here. A collector that is down, slow or overloaded costs its spans and nothing
//! else. A full queue alone proves little: only the end of an export tells a slow collector from an
//! unreachable one, so the log line waits for that.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crispy_telemetry::catalogue::{REASON, TELEMETRY_LOST};
use tracing::{Level, enabled, info, warn};

use super::environment::Signal;
use crate::Redacted;

/// The signal that reports outages of a collector for all signals that share it.
pub(super) type Reporter = Arc<Mutex<Option<Signal>>>;

/// The way of one signal to one collector.
#[derive(Debug)]
pub(super) struct ExportQueue {
    signal: Signal,
    /// Without credentials.
    collector: String,
    capacity: usize,
    reporter: Reporter,
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    problem: Option<Problem>,
    /// A line about the problem is in the log.
    logged: bool,
    /// Lost since the problem began.
    lost: usize,
    last_lost: Option<Instant>,
    /// The start of the export that is in flight.
    export_began: Option<Instant>,
    /// The cause of the failure, where the SDK does not report it.
    cause: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    /// Every export fails.
    Unreachable,
    /// Spans end faster than they are exported.
    Overloaded,
}

/// An overload is over when nothing was lost for so long: otherwise it would be back in a second.
const CALM: Duration = Duration::from_secs(60);

/// A collector that takes longer for one export will not be faster because a program ends.
const SILENCE: Duration = Duration::from_secs(1);

/// Advice on a failed export, and whether the failure concerns this signal alone. The SDK reports
/// failures as text only.
fn hint(signal: Signal, error: &str) -> (&'static str, bool) {
    let has = |signs: &[&str]| signs.iter().any(|sign| error.contains(sign));
    // Jaeger answers so: it keeps traces and nothing else.
    let unsupported = has(&["Unimplemented", "status code: 404"]);
    let refused = has(&[
        "Unauthenticated",
        "PermissionDenied",
        "code: 401",
        "code: 403",
    ]);
    match signal {
        Signal::Metrics if unsupported => (
            "send metrics elsewhere, or set OTEL_METRICS_EXPORTER=prometheus for the admin pages",
            true,
        ),
        Signal::Traces if unsupported => (
            "send traces elsewhere, or set OTEL_TRACES_EXPORTER=none",
            true,
        ),
        _ if refused => ("check OTEL_EXPORTER_OTLP_HEADERS", true),
        _ => (
            "check the collector, OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL",
            false,
        ),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn lose(&mut self, count: usize) {
        self.lost += count;
        self.last_lost = Some(Instant::now());
    }

    /// Whether an export that has just succeeded ends the problem.
    fn is_over(&self, now: Instant) -> bool {
        let calm = |last| now.saturating_duration_since(last) >= CALM;
        match self.problem {
            None => false,
            Some(Problem::Unreachable) => true,
            Some(Problem::Overloaded) => self.last_lost.is_none_or(calm),
        }
    }
}

impl ExportQueue {
    pub(super) fn new(
        signal: Signal,
        address: &str,
        capacity: usize,
        reporter: Reporter,
    ) -> Arc<Self> {
        if signal == Signal::Traces {
            // Exports counters at 0, so that `increase()` sees the first loss.
            for reason in ["queue_full", "export"] {
                TELEMETRY_LOST.add(0, &[(REASON, reason)]);
            }
        }
        Arc::new(Self {
            signal,
            collector: Redacted(address).to_string(),
            capacity,
            reporter,
            waiting: AtomicUsize::default(),
            state: Mutex::default(),
        })
    }

    /// Takes a place for one span. Without a free place the span is lost, and counted.
    pub(super) fn admit(&self) -> bool {
        let free = |waiting| (waiting < self.capacity).then_some(waiting + 1);
        if self.waiting.fetch_update(Relaxed, Relaxed, free).is_ok() {
            return true;
        }
        TELEMETRY_LOST.add(1, &[(REASON, "queue_full")]);
        lock(&self.state).lose(1);
        false
    }

    /// Notes the start of an export.
    pub(super) fn begin_export(&self) {
        lock(&self.state).export_began = Some(Instant::now());
    }

    /// Notes the cause of the failure that will be reported next.
    pub(super) fn set_cause(&self, cause: String) {
        lock(&self.state).cause = Some(cause);
    }

    /// Whether an export may succeed soon.
    pub(super) fn is_healthy(&self, now: Instant) -> bool {
        let state = lock(&self.state);
        let silent = |began| now.saturating_duration_since(began) > SILENCE;
        state.problem != Some(Problem::Unreachable) && !state.export_began.is_some_and(silent)
    }

    /// Notes that an export of `count` spans succeeded.
    pub(super) fn exported(&self, count: usize) {
        self.leave(count);
        let mut state = lock(&self.state);
        (state.export_began, state.cause) = (None, None);
        let (signal, collector) = (self.signal.name(), self.collector.as_str());
        if state.is_over(Instant::now()) {
            let State { logged, lost, .. } = std::mem::take(&mut *state);
            lock(&self.reporter).take_if(|reporter| *reporter == self.signal);
            if logged {
                info!(signal, collector, lost, "collector reachable again");
            }
        } else if state.lost > 0 && state.problem.is_none() {
            (state.problem, state.logged) = (Some(Problem::Overloaded), true);
            let hint = "lower OTEL_TRACES_SAMPLER_ARG, or raise OTEL_BSP_MAX_QUEUE_SIZE";
            warn!(
                signal,
                collector, hint, "collector overloaded, dropping telemetry"
            );
        }
    }

    /// Notes that an export of `count` spans failed.
    pub(super) fn export_failed(&self, count: usize, error: &str) {
        self.leave(count);
        if self.signal == Signal::Traces {
            TELEMETRY_LOST.add(count as u64, &[(REASON, "export")]);
        }
        let mut state = lock(&self.state);
        state.export_began = None;
        state.lose(count);
        let error = match state.cause.take() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_owned(),
        };
        if state.problem.replace(Problem::Unreachable) != Some(Problem::Unreachable) {
            state.logged = false;
        }
        let (hint, own) = hint(self.signal, &error);
        // Signals of one collector share an outage: the first of them reports it for all.
        if state.logged || (!own && *lock(&self.reporter).get_or_insert(self.signal) != self.signal)
        {
            return;
        }
        // Exports begin before there is a log: then the next failure is reported.
        if !enabled!(Level::WARN) {
            return;
        }
        state.logged = true;
        let (signal, collector) = (self.signal.name(), self.collector.as_str());
        warn!(
            signal,
            collector, error, hint, "collector unreachable, dropping telemetry"
        );
    }

    /// Frees the places of spans that were exported or lost. Metrics have none.
    fn leave(&self, count: usize) {
        let left = |waiting: usize| Some(waiting.saturating_sub(count));
        let _ = self.waiting.fetch_update(Relaxed, Relaxed, left);
    }

    /// Logs the number of lost spans, at the end of the program. Those that still wait are lost
    /// too.
    pub(super) fn log_lost(&self) {
        let lost = lock(&self.state).lost + self.waiting.load(Relaxed);
        if self.signal == Signal::Traces && lost > 0 {
            let collector = self.collector.as_str();
            info!(
                collector,
                lost, "spans lost before they reached the collector"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::testing::CapturedLog;

    const COLLECTOR: &str = "http://u:secret@collector:4317";

    fn queue(capacity: usize) -> Arc<ExportQueue> {
        ExportQueue::new(Signal::Traces, COLLECTOR, capacity, Reporter::default())
    }

    #[test]
    fn an_outage_is_one_line_and_its_end_another() {
        let queue = queue(10);
        let log = CapturedLog::during(|| {
            for _ in 0..3 {
                assert!(queue.admit());
                queue.export_failed(1, "connection refused");
            }
            for _ in 0..2 {
                assert!(queue.admit());
                queue.exported(1);
            }
        });
        let [warning, end] = &log.lines()[..] else {
            panic!("{log:?}")
        };
        assert!(
            warning.contains("WARN collector unreachable")
                && warning.contains("connection refused")
                && !warning.contains("secret"),
            "{warning}"
        );
        assert!(
            end.contains("INFO collector reachable again") && end.contains("lost=3"),
            "{end}"
        );
    }

    #[test]
    fn an_overload_is_one_line_until_a_calm_minute() {
        let queue = queue(4);
        let log = CapturedLog::during(|| {
            assert_eq!((0..10).filter(|_| queue.admit()).count(), 4);
            assert!(lock(&queue.state).problem.is_none(), "it may be down");
            queue.exported(1);
            assert!(queue.admit() && !queue.admit());
            queue.exported(3);
            queue.log_lost();
        });
        let [warning, end] = &log.lines()[..] else {
            panic!("{log:?}")
        };
        assert!(warning.contains("OTEL_BSP_MAX_QUEUE_SIZE"), "{warning}");
        assert!(end.contains("lost=8"), "seven, and one in flight: {end}");
        let state = lock(&queue.state);
        let last = state.last_lost.expect("some were lost");
        assert!(state.is_over(last + CALM) && !state.is_over(last + CALM / 2));
    }

    #[test]
    fn signals_of_one_collector_report_an_outage_once() {
        let shared = Reporter::default();
        let queue = |signal, reporter: &Reporter| {
            ExportQueue::new(signal, "http://c:4318", 10, Arc::clone(reporter))
        };
        let traces = queue(Signal::Traces, &shared);
        let metrics = queue(Signal::Metrics, &shared);
        let other = queue(Signal::Metrics, &Reporter::default());
        let log = CapturedLog::during(|| {
            for queue in [&traces, &metrics, &other] {
                queue.export_failed(1, "connection refused");
            }
            // One is back, the other is not.
            traces.exported(1);
            metrics.export_failed(1, "connection refused");
            metrics.exported(1);
            // A refusal of one signal does not speak for the other.
            metrics.export_failed(1, "status code: 404");
            traces.export_failed(1, "connection refused");
        });
        let lines = log.lines();
        let seen: Vec<_> = lines
            .iter()
            .map(|line| {
                let signal = line.split("signal=\"").nth(1).unwrap_or_default();
                (line.contains("unreachable"), signal.starts_with("traces"))
            })
            .collect();
        let expected = [
            (true, true),
            (true, false),
            (false, true),
            (true, false),
            (false, false),
            (true, false),
            (true, true),
        ];
        assert_eq!(seen, expected, "{lines:#?}");
        assert!(
            lines[5].contains("OTEL_METRICS_EXPORTER=prometheus"),
            "{lines:#?}"
        );
    }

    #[test]
    fn an_outage_before_the_log_is_reported_later() {
        let queue = queue(10);
        queue.export_failed(1, "connection refused");
        let log = CapturedLog::during(|| queue.export_failed(1, "connection refused"));
        assert_eq!(log.lines().len(), 1, "{log:?}");
    }

    #[test]
    fn a_queue_filled_by_an_outage_is_no_overload() {
        let queue = queue(2);
        let log = CapturedLog::during(|| {
            while queue.admit() {}
            queue.export_failed(1, "timed out");
            while queue.admit() {}
            queue.export_failed(2, "timed out");
        });
        let [line] = &log.lines()[..] else {
            panic!("{log:?}")
        };
        assert!(line.contains("unreachable"), "{line}");
    }

    #[test]
    fn a_silent_or_failing_collector_is_not_healthy() {
        let queue = queue(10);
        let now = Instant::now();
        let _log = CapturedLog::during(|| {
            assert!(queue.is_healthy(now));
            queue.begin_export();
            assert!(queue.is_healthy(now), "it may take a moment");
            assert!(!queue.is_healthy(now + SILENCE * 2));
            queue.export_failed(1, "timed out");
            assert!(!queue.is_healthy(now));
            queue.begin_export();
            queue.exported(1);
            assert!(queue.is_healthy(now + SILENCE * 2));
        });
    }

    #[test]
    fn a_hint_names_the_variable_to_look_at() {
        for (error, expected) in [
            (
                "failed with gRPC code: Unimplemented",
                "OTEL_METRICS_EXPORTER=prometheus",
            ),
            (
                "HTTP export failed with status code: 404",
                "OTEL_METRICS_EXPORTER=prometheus",
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
            assert!(hint(Signal::Metrics, error).0.contains(expected), "{error}");
        }
    }
}
