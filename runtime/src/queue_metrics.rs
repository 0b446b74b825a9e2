//! Metrics of the stages' queues. The server is asked once for each reading of the metrics.
//!
//! ```text
//!   /metrics, OTLP ── read ──► the latest answer
//!                       └─ wake ──► ask the server (5 s at most) ──► the next answer
//! ```
//!
//! A silent server must not block a reader, so each reading shows the state at the reading before.
//!
//! Each stage shows the other's queue too: after the death of the last uploader only the inspectors
//! can report that its queue grows.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crispy_fault::Fault;
use crispy_queue::{Backlog, Connection, Stage};
use crispy_telemetry::{
    Gauge, Reading,
    catalogue::{
        QUEUE_DEAD_LETTERS, QUEUE_PENDING, QUEUE_UNSETTLED, STAGE, STREAM, STREAM_AGE,
        STREAM_LIMIT, STREAM_USAGE,
    },
};
use tokio::{sync::Notify, task::JoinHandle, time::timeout};
use tracing::debug;

/// The longest wait for the server.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The latest answer, and the wake-up for the next.
#[derive(Clone, Debug, Default)]
struct Backlogs {
    latest: Arc<Mutex<Vec<(Stage, Backlog)>>>,
    wake: Arc<Notify>,
}

/// Registers the metrics of the queues. They are up to date until the task ends.
pub(crate) fn observe(connection: &Connection) -> JoinHandle<()> {
    let backlogs = Backlogs::default();
    backlogs.register();
    let connection = connection.clone();
    tokio::spawn(async move {
        loop {
            backlogs.wake.notified().await;
            let latest = match timeout(TIMEOUT, fetch(&connection)).await {
                Ok(Ok(latest)) => latest,
                Ok(Err(error)) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    debug!(error, "failed to look up backlogs");
                    Vec::new()
                }
                Err(_) => Vec::new(),
            };
            *backlogs
                .latest
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = latest;
        }
    })
}

async fn fetch(connection: &Connection) -> Result<Vec<(Stage, Backlog)>, Fault> {
    let mut found = Vec::new();
    for stage in Stage::ALL {
        found.push((stage, connection.backlog(stage).await?));
    }
    Ok(found)
}

/// The part of an answer that a gauge shows, if there is one.
type Part = fn(&Backlog) -> Option<f64>;

impl Backlogs {
    fn register(&self) {
        // One of the gauges wakes the task: each reader reads all of them.
        let waking = self.clone();
        QUEUE_PENDING.observe(move || {
            waking.wake.notify_one();
            waking.readings(STAGE, |backlog| Some(backlog.work.as_ref()?.pending as f64))
        });
        let rows: [(&'static Gauge, &'static str, Part); 5] = [
            (&QUEUE_UNSETTLED, STAGE, |backlog| {
                Some(backlog.work.as_ref()?.in_flight as f64)
            }),
            (&QUEUE_DEAD_LETTERS, STAGE, |backlog| {
                Some(backlog.dead_letters as f64)
            }),
            (&STREAM_AGE, STREAM, |backlog| {
                let oldest = backlog.usage.as_ref()?.oldest;
                let us = oldest.map_or(0, |oldest| crate::now_us() - oldest.as_microsecond());
                Some(us.max(0) as f64 / 1e6)
            }),
            (&STREAM_USAGE, STREAM, |backlog| {
                Some(backlog.usage.as_ref()?.bytes as f64)
            }),
            (&STREAM_LIMIT, STREAM, |backlog| {
                Some(backlog.usage.as_ref()?.limit? as f64)
            }),
        ];
        for (gauge, attribute, part) in rows {
            let backlogs = self.clone();
            gauge.observe(move || backlogs.readings(attribute, part));
        }
    }

    fn readings(&self, attribute: &'static str, part: Part) -> Vec<Reading> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = |(stage, backlog): &(Stage, Backlog)| {
            let name = match attribute {
                STREAM => backlog.stream.clone(),
                _ => stage.to_string(),
            };
            Some((part(backlog)?, vec![(attribute, name)]))
        };
        latest.iter().filter_map(reading).collect()
    }
}
