//! The same warning from the same place, a hundred times a second: some lines, and then one that counts the rest.
//!
//! A place is a line of code: there are as many as the program has, so what is kept is bounded by itself. Nothing is counted away: the
//! metric `crispy.log.lines` has them all.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crispy_telemetry::catalogue::{LEVEL, LOG_LINES};
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, error, warn};
use tracing_subscriber::layer::{Context, Filter};

/// Lines of one place in one window.
const MOST: u32 = 20;

/// How long the lines of a place are counted together.
const WINDOW: Duration = Duration::from_secs(60);

/// The target of the lines that count, which are not counted themselves.
const SUMMARY: &str = "bursts";

/// What has been logged lately. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimitedLog(Arc<Lately>);

#[derive(Debug, Default)]
struct Lately {
    places: Mutex<HashMap<Identifier, Place>>,
    /// Since the program began. Counted here and not by an instrument: an instrument may log at its first use, and this is inside the log.
    warnings: AtomicU64,
    errors: AtomicU64,
}

/// A place that has logged in this window.
#[derive(Debug)]
struct Place {
    began: Instant,
    shown: u32,
    more: u64,
    level: Level,
    /// The message of the last that was not shown.
    last: String,
}

/// What a window has left out.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    more: u64,
    level: Level,
    last: String,
}

impl Place {
    fn new(began: Instant, level: Level) -> Self {
        Self {
            began,
            shown: 0,
            more: 0,
            level,
            last: String::new(),
        }
    }

    /// Whether one more line is shown. The message is asked for only if it is not.
    fn admit(&mut self, message: impl FnOnce() -> String) -> bool {
        if self.shown < MOST {
            self.shown += 1;
            return true;
        }
        self.more += 1;
        self.last = message();
        false
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) >= WINDOW
    }

    fn summary(self) -> Option<Summary> {
        let Self {
            more, level, last, ..
        } = self;
        (more > 0).then_some(Summary { more, level, last })
    }
}

impl RateLimitedLog {
    fn places(&self) -> MutexGuard<'_, HashMap<Identifier, Place>> {
        let places = self.0.places.lock();
        places.unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, event: &Event<'_>, now: Instant) -> bool {
        let metadata = event.metadata();
        let mut places = self.places();
        let place = places
            .entry(metadata.callsite())
            .or_insert_with(|| Place::new(now, *metadata.level()));
        place.admit(|| Message::of(event))
    }

    /// Makes the counts a metric.
    pub(crate) fn observe(&self) {
        let lately = Arc::clone(&self.0);
        LOG_LINES.observe(move || {
            let counts = [("warn", &lately.warnings), ("error", &lately.errors)];
            let reading = |(level, count): (&str, &AtomicU64)| {
                let level = vec![(LEVEL, level.to_owned())];
                (count.load(Relaxed) as f64, level)
            };
            counts.map(reading).into()
        });
    }

    /// Logs what the windows that are over have left out, and begins new ones.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        self.close(|place| place.is_over(now));
    }

    /// Logs what has been left out so far: there will be no other time.
    pub(crate) fn flush(&self) {
        self.close(|_| true);
    }

    fn close(&self, over: impl Fn(&Place) -> bool) {
        let closed: Vec<_> = {
            let mut places = self.places();
            places.extract_if(|_, place| over(place)).collect()
        };
        // Not while the places are held: these are log lines too.
        for summary in closed.into_iter().filter_map(|(_, place)| place.summary()) {
            summary.log();
        }
    }
}

impl Summary {
    fn log(&self) {
        let Self { more, level, last } = self;
        if *level == Level::ERROR {
            error!(target: SUMMARY, more, "... and {more} more in the last minute: {last}");
        } else {
            warn!(target: SUMMARY, more, "... and {more} more in the last minute: {last}");
        }
    }
}

/// No word about callsites: an event is asked about only where its callsite is enabled sometimes.
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
struct Message(String);

impl Message {
    fn of(event: &Event<'_>) -> String {
        let mut message = Self(String::new());
        event.record(&mut message);
        message.0
    }
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // A string takes everything.
            let _ = write!(self.0, "{value:?}");
        }
    }
}

/// Sweeps until the process ends; starts with the program's tasks.
pub(crate) async fn keep_sweeping(bursts: RateLimitedLog) {
    // A window is at most this much longer than it says.
    let mut ticks = tokio::time::interval(WINDOW / 12);
    loop {
        ticks.tick().await;
        bursts.sweep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::testing::Heard;

    #[test]
    fn the_same_warning_from_one_place_is_shown_twenty_times_and_then_counted() {
        let bursts = RateLimitedLog::default();
        let heard = Heard::through(bursts.clone(), || {
            for n in 0..432 {
                warn!(n, "the bucket is away; wait for it");
            }
            warn!("another place");
            bursts.flush();
            warn!("the next window");
            bursts.flush();
        });
        let lines = heard.lines();
        assert_eq!(lines.len(), 23, "{lines:#?}");
        assert!(lines[19].contains("n=19") && lines[20].contains("another place"));
        assert!(
            lines[21].contains(
                "WARN ... and 412 more in the last minute: the bucket is away; wait for it"
            ),
            "{}",
            lines[21]
        );
        assert!(lines[22].contains("the next window"));
    }

    #[test]
    fn a_window_lasts_a_minute_and_the_next_begins_anew() {
        let began = Instant::now();
        let mut place = Place::new(began, Level::WARN);
        let shown = (0..30).filter(|_| place.admit(|| "late".into())).count();
        assert_eq!(shown, 20);
        assert!(!place.is_over(began + WINDOW - Duration::from_millis(1)));
        assert!(place.is_over(began + WINDOW));
        let summary = Summary {
            more: 10,
            level: Level::WARN,
            last: "late".into(),
        };
        assert_eq!(place.summary(), Some(summary));
        assert_eq!(Place::new(began, Level::WARN).summary(), None);
    }

    #[test]
    fn what_is_no_problem_is_never_left_out() {
        let heard = Heard::through(RateLimitedLog::default(), || {
            for _ in 0..100 {
                tracing::info!("uploaded");
            }
        });
        assert_eq!(heard.lines().len(), 100);
    }
}
