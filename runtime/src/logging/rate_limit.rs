//! Rate limit for repeated warnings: 20 lines a minute, and one that counts the rest.
//!
//! The limit holds for each callsite, a line of code; the program has a fixed number of them, so
//! memory is bounded. The metric `crispy.log.lines` counts every line, also the suppressed ones.

use std::{
    collections::HashMap,
    fmt::{self, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crispy_telemetry::catalogue::{LEVEL, LOG_LINES};
use tracing::{
    Event, Level, Metadata,
    callsite::Identifier,
    error,
    field::{Field, Visit},
    warn,
};
use tracing_subscriber::layer::{Context, Filter};

/// Lines of one callsite in one window.
const LIMIT: u32 = 20;

/// The time for which the lines of a callsite are counted together.
const WINDOW: Duration = Duration::from_secs(60);

/// The target of summaries, which are not limited themselves.
const SUMMARY: &str = "suppressed";

/// The filter that limits warnings and errors. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimitedLog(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    windows: Mutex<HashMap<Identifier, Window>>,
    /// Since the program began. Not counted by an instrument: an instrument may log at its first
    /// use, and this is inside the log.
    warnings: AtomicU64,
    errors: AtomicU64,
}

/// The current window of a callsite.
#[derive(Debug)]
struct Window {
    began: Instant,
    shown: u32,
    suppressed: u64,
    level: Level,
    /// The message of the last suppressed line.
    last: String,
}

/// The suppressed lines of a window.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    suppressed: u64,
    level: Level,
    last: String,
}

impl Window {
    fn new(began: Instant, level: Level) -> Self {
        Self {
            began,
            shown: 0,
            suppressed: 0,
            level,
            last: String::new(),
        }
    }

    /// Whether one more line is shown. Only a suppressed line needs its message.
    fn admit(&mut self, message: impl FnOnce() -> String) -> bool {
        if self.shown < LIMIT {
            self.shown += 1;
            return true;
        }
        self.suppressed += 1;
        self.last = message();
        false
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= WINDOW
    }

    fn summary(self) -> Option<Summary> {
        let Self {
            suppressed,
            level,
            last,
            ..
        } = self;
        (suppressed > 0).then_some(Summary {
            suppressed,
            level,
            last,
        })
    }
}

impl RateLimitedLog {
    fn windows(&self) -> MutexGuard<'_, HashMap<Identifier, Window>> {
        let windows = self.0.windows.lock();
        windows.unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, event: &Event<'_>, now: Instant) -> bool {
        let metadata = event.metadata();
        let mut windows = self.windows();
        let window = windows
            .entry(metadata.callsite())
            .or_insert_with(|| Window::new(now, *metadata.level()));
        window.admit(|| message(event))
    }

    /// Makes the counts a metric.
    pub(crate) fn observe(&self) {
        let counts = Arc::clone(&self.0);
        LOG_LINES.observe(move || {
            let levels = [("warn", &counts.warnings), ("error", &counts.errors)];
            let reading = |(level, count): (&str, &AtomicU64)| {
                let level = vec![(LEVEL, level.to_owned())];
                (count.load(Relaxed) as f64, level)
            };
            levels.map(reading).into()
        });
    }

    /// Logs the summaries of past windows, and begins new ones.
    fn sweep(&self) {
        let now = Instant::now();
        self.close(|window| window.is_over(now));
    }

    /// Logs the summaries of all windows, at the end of the program.
    pub(crate) fn flush(&self) {
        self.close(|_| true);
    }

    fn close(&self, over: impl Fn(&Window) -> bool) {
        let closed: Vec<_> = {
            let mut windows = self.windows();
            windows.extract_if(|_, window| over(window)).collect()
        };
        // Outside the lock: summaries are log lines too.
        for summary in closed
            .into_iter()
            .filter_map(|(_, window)| window.summary())
        {
            summary.log();
        }
    }
}

impl Summary {
    fn log(&self) {
        let Self {
            suppressed,
            level,
            last,
        } = self;
        if *level == Level::ERROR {
            error!(target: SUMMARY, suppressed, last, "repeated errors suppressed");
        } else {
            warn!(target: SUMMARY, suppressed, last, "repeated warnings suppressed");
        }
    }
}

/// `callsite_enabled` keeps its default, `sometimes`: only then is each event asked about.
impl<S> Filter<S> for RateLimitedLog {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::WARN || metadata.target() == SUMMARY {
            return true;
        }
        let count = match *metadata.level() {
            Level::ERROR => &self.0.errors,
            _ => &self.0.warnings,
        };
        count.fetch_add(1, Relaxed);
        self.admit(event, Instant::now())
    }
}

/// The message of an event, without its fields.
fn message(event: &Event<'_>) -> String {
    let mut message = Message(String::new());
    event.record(&mut message);
    message.0
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // A string accepts all text.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// Logs summaries until the process ends: a task among the program's.
pub(crate) async fn log_suppressed(log: RateLimitedLog) {
    // A window is longer by this much at most.
    let mut ticks = tokio::time::interval(WINDOW / 12);
    loop {
        ticks.tick().await;
        log.sweep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::testing::CapturedLog;

    #[test]
    fn a_warning_is_shown_twenty_times_then_counted() {
        let log = RateLimitedLog::default();
        let captured = CapturedLog::through(log.clone(), || {
            for n in 0..432 {
                warn!(n, "bucket unavailable");
            }
            warn!("another callsite");
            log.flush();
            warn!("the next window");
            log.flush();
        });
        let lines = captured.lines();
        assert_eq!(lines.len(), 23, "{lines:#?}");
        assert!(lines[19].contains("n=19") && lines[20].contains("another callsite"));
        assert!(
            lines[21].contains(
                "WARN repeated warnings suppressed suppressed=412 last=\"bucket unavailable\""
            ),
            "{}",
            lines[21]
        );
        assert!(lines[22].contains("the next window"));
    }

    #[test]
    fn a_window_lasts_a_minute() {
        let began = Instant::now();
        let mut window = Window::new(began, Level::WARN);
        let shown = (0..30).filter(|_| window.admit(|| "late".into())).count();
        assert_eq!(shown, 20);
        assert!(!window.is_over(began + WINDOW - Duration::from_millis(1)));
        assert!(window.is_over(began + WINDOW));
        let summary = Summary {
            suppressed: 10,
            level: Level::WARN,
            last: "late".into(),
        };
        assert_eq!(window.summary(), Some(summary));
        assert_eq!(Window::new(began, Level::WARN).summary(), None);
    }

    #[test]
    fn info_lines_are_never_suppressed() {
        let captured = CapturedLog::through(RateLimitedLog::default(), || {
            for _ in 0..100 {
                tracing::info!("uploaded");
            }
        });
        assert_eq!(captured.lines().len(), 100);
    }
}
