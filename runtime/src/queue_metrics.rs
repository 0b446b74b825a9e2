//! The stages' queues as metrics: asked of the server once for each time that somebody reads the metrics, and never for nobody.
//!
//! ```text
//!   /metrics, OTLP ── look ──► shown: the latest answer
//!                      └─ wakes ──► ask the server (5 s at most) ──► the next answer
//! ```
//!
//! A reader may not be held up by a server that is silent, so it is shown what was true when it read the last time.
//!
//! Each stage shows the other's queue too: where the last uploader has died nobody else is left to say that its queue grows.

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

/// How long the server may take.
const ANSWER: Duration = Duration::from_secs(5);

/// The latest answer, and the bell for the next.
#[derive(Clone, Debug, Default)]
struct Shown {
    latest: Arc<Mutex<Vec<(Stage, Backlog)>>>,
    wanted: Arc<Notify>,
}

/// Shows how the queues stand from now on, until the task ends.
pub(crate) fn show(connection: &Connection) -> JoinHandle<()> {
    let shown = Shown::default();
    shown.observe();
    let connection = connection.clone();
    tokio::spawn(async move {
        loop {
            shown.wanted.notified().await;
            let latest = match timeout(ANSWER, look(&connection)).await {
                Ok(Ok(latest)) => latest,
                Ok(Err(error)) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    debug!(error, "how the queues stand is not known");
                    Vec::new()
                }
                Err(_) => Vec::new(),
            };
            *shown.latest.lock().unwrap_or_else(PoisonError::into_inner) = latest;
        }
    })
}

async fn look(connection: &Connection) -> Result<Vec<(Stage, Backlog)>, Fault> {
    let mut found = Vec::new();
    for stage in Stage::ALL {
        found.push((stage, connection.backlog(stage).await?));
    }
    Ok(found)
}

/// What of an answer a gauge shows, if there is any.
type Part = fn(&Backlog) -> Option<f64>;

impl Shown {
    fn observe(&self) {
        // One of them rings the bell: each reader looks at all.
        let bell = self.clone();
        QUEUE_PENDING.observe(move || {
            bell.wanted.notify_one();
            bell.readings(STAGE, |backlog| Some(backlog.work.as_ref()?.pending as f64))
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
            let shown = self.clone();
            gauge.observe(move || shown.readings(attribute, part));
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
