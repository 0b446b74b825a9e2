//! From a handler to a stage at work.

use std::sync::Arc;

use daemon::{Exit, Failed, Stop, WithExit};
use proto::v1;
use queue::{Connection, Handler, Stage, Worker, WorkerConfig};
use tracing::info;

/// Hands `stage`'s messages to `handler`, up to `concurrency` at once, until the stop is requested and what was under way is done or handed
/// back; then closes the connection.
///
/// # Errors
/// [`Exit::StreamsMissing`] where there is nothing to bind to.
pub async fn work<H: Handler>(
    connection: Connection,
    stage: Stage,
    concurrency: u16,
    handler: H,
    producer: &v1::Producer,
    stop: &Stop,
) -> Result<(), Failed> {
    let config = WorkerConfig {
        concurrency: concurrency.into(),
        grace: stop.grace(),
        instance: producer.instance.clone(),
        version: producer.version.clone(),
        ..WorkerConfig::new(stage)
    };
    let worker = Worker::bind(&connection, config)
        .await
        .exit(Exit::StreamsMissing)?;
    let drained = worker.run(Arc::new(handler), stop.token()).await;
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
