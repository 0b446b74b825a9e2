//! From a handler to a stage at work.

use std::{sync::Arc, time::Duration};

use crate::{Failed, Stop};
use crispy_jetstream::Readiness;
use crispy_proto::v1;
use crispy_queue::{Connection, Handler, Stage, Worker, WorkerConfig};
use tracing::info;

use crate::queue_metrics;

/// What is left of the program's grace for the time after the worker's: against a server that does not answer the worker's last words take
/// 2 s and closing the connection 2 s, and the process needs a moment to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Hands `stage`'s messages to `handler`, up to `concurrency` at once, until the stop is requested and what was under way is done or handed
/// back; then closes the connection.
///
/// # Errors
/// Where there is nothing to bind to, or the server does not say: see [`Failed::from_queue`].
pub async fn run_worker<H: Handler>(
    connection: Connection,
    stage: Stage,
    concurrency: u16,
    handler: H,
    producer: &v1::Producer,
    stop: &Stop,
) -> Result<(), Failed> {
    let config = WorkerConfig {
        concurrency: concurrency.into(),
        grace: stop.grace().saturating_sub(FAREWELL),
        instance: producer.instance.clone(),
        version: producer.version.clone(),
        ..WorkerConfig::new(stage)
    };
    let worker = Worker::bind(&connection, config)
        .await
        .map_err(Failed::from_queue)?;
    report_queue(worker.readiness());
    let watched = queue_metrics::show(&connection);
    crate::health::readiness().started();
    let drained = worker.run(Arc::new(handler), stop.token()).await;
    watched.abort();
    info!(
        handled = drained.handled,
        retried = drained.retried,
        buried = drained.buried,
        handed_back = drained.handed_back,
        "drained"
    );
    connection.close().await;
    Ok(())
}

/// Why the queue cannot be worked with counts among the program's own reasons from now on.
pub fn report_queue(readiness: Readiness) {
    crate::health::readiness().look("queue", move || {
        let reasons = readiness.reasons();
        reasons.iter().map(ToString::to_string).collect()
    });
}
