//! Runs a stage: binds its worker to the queue, and hands it the handler.

use std::{sync::Arc, time::Duration};

use crate::{Failed, Stop};
use crispy_jetstream::Readiness;
use crispy_proto::v1;
use crispy_queue::{Connection, Handler, Stage, Worker, WorkerConfig};
use tracing::info;

use crate::queue_metrics;

/// The part of the program's grace that follows the worker's. Against a server that does not
/// answer, the worker's flush takes 2 s and closing the connection 2 s, and the process needs a
/// moment to end.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(5);

/// Passes `stage`'s messages to `handler`, up to `concurrency` at once, until a stop is requested
/// and the messages in flight are settled; then closes the connection.
///
/// # Errors
/// The stream or the consumer is missing, or the server does not answer.
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
        grace: stop.grace().saturating_sub(SHUTDOWN_MARGIN),
        instance: producer.instance.clone(),
        version: producer.version.clone(),
        ..WorkerConfig::new(stage)
    };
    let worker = Worker::bind(&connection, config)
        .await
        .map_err(Failed::from_queue)?;
    report_queue(worker.readiness());
    let metrics = queue_metrics::observe(&connection);
    crate::health::readiness().started();
    let summary = worker.run(Arc::new(handler), stop.token()).await;
    metrics.abort();
    info!(
        handled = summary.handled,
        retried = summary.retried,
        dead_lettered = summary.dead_lettered,
        returned_at_stop = summary.handed_back,
        "worker stopped, all messages settled"
    );
    connection.close().await;
    Ok(())
}

/// Adds the queue's readiness to the program's own.
pub fn report_queue(readiness: Readiness) {
    crate::health::readiness().check("queue", move || {
        let reasons = readiness.reasons();
        reasons.iter().map(ToString::to_string).collect()
    });
}
