//! The uploader: descriptors from the queue, chunks into the bucket.
//!
//! ```text
//!   JetStream ── ChunkReady ─► upload ── spool ── bytes ─► bucket ── ChunkUploaded ─► JetStream
//! ```
//!
//! It takes descriptors from the work queue, fetches the bytes, writes the object with its
//! metadata, announces it, and acknowledges: in that order. Any number of uploaders share one
//! durable consumer. Adding one adds throughput; killing one costs a redelivery.
//!
//! * `upload`: the handler
//! * `attempts`: the attempts of one object; `retry`: the decisions between them, pure
//! * `fetch`: the bytes, within a `memory_budget`
//! * `monitored_bucket`: the bucket, with a `rate_limiter` and a probe for silence
//! * `metadata`, `run_state`: metadata and run documents, pure
#![warn(missing_docs)]

mod attempts;
mod config;
mod fetch;
mod memory_budget;
mod metadata;
mod metrics;
mod monitored_bucket;
mod rate_limiter;
mod retry;
mod run_state;
#[doc(hidden)]
pub mod testing;
mod upload;

use std::{error::Error, time::Duration};

pub use config::Config;
use crispy_bucket::Bucket;
use crispy_queue::Stage;
use crispy_runtime::{Exit, Failed, Stop, WithExit, health::readiness};
use fetch::SpoolReaders;
use memory_budget::MemoryBudget;
use monitored_bucket::MonitoredBucket;
use tokio::time::sleep;
use tracing::warn;
use upload::UploadHandler;

/// Between two checks of a bucket that failed at the start, for `/readyz`.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Uploads until it is stopped.
pub async fn run(config: Config, stop: Stop) -> Result<(), Failed> {
    let bucket = crispy_runtime::open_bucket(&config.bucket, &config.options)?;
    match bucket.check_writable(0).await {
        // An uploader that is restarted in the middle of an outage waits for its end like all
        // others.
        Err(fault) if fault.is_transient() => {
            let error: &(dyn Error + 'static) = &fault;
            warn!(
                error,
                hint = "check the bucket if this lasts: uploads are retried until it recovers",
                "bucket unavailable at startup"
            );
            watch_until_healthy(bucket.clone());
        }
        checked => checked.exit(Exit::BucketUnavailable)?,
    }
    let connection = crispy_runtime::connect(
        &config.nats.options("crispy-uploader")?,
        &config.nats.prefix,
    )
    .await?;
    metrics::init_at_zero();
    let producer = crispy_runtime::producer(env!("CARGO_PKG_VERSION"));
    let handler = UploadHandler {
        bucket: MonitoredBucket::new(bucket, config.max_upload_rate),
        spools: SpoolReaders::new(&config.spool, MemoryBudget::new(config.max_in_flight)),
        publisher: connection.publisher().await,
        subjects: connection.subjects(),
        producer: producer.clone(),
    };
    crispy_runtime::run_worker(
        connection,
        Stage::Uploader,
        config.concurrency,
        handler,
        &producer,
        &stop,
    )
    .await
}

/// Reports the process as not ready until the bucket is healthy. The worker detects an outage only
/// by a chunk, and there may be none.
fn watch_until_healthy(bucket: Bucket) {
    let condition = readiness().condition("bucket");
    condition.unmet("the bucket has failed since startup; the log has its error");
    tokio::spawn(async move {
        while bucket.check_writable(0).await.is_err() {
            sleep(CHECK_INTERVAL).await;
        }
        condition.met();
    });
}
