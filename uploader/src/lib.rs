//! The uploader: queue to bucket.
//!
//! ```text
//!   JetStream ── ChunkReady ─► upload ── spool ── bytes ─► bucket (create only) ── ChunkUploaded ─► JetStream
//! ```
//!
//! It takes descriptors from the work queue, finds the bytes, writes the object with its metadata, says so, and acknowledges: in that
//! order. Any number of them share one durable consumer; adding one adds throughput, killing one costs a redelivery.
//!
//! * [`config`]: what it is told
//! * [`work`]: what it is handed
//! * [`upload`]: the handler
//! * `sending`: one object's attempts
//! * [`fetch`]: finding the bytes, and [`room`] for them
//! * [`destination`]: the bucket, watched, at its [`pace`]
//! * [`classify`]: from errors to outcomes, pure
//! * [`metadata`], [`run_state`]: what is written beside the bytes, pure
#![warn(missing_docs)]

pub mod classify;
pub mod config;
pub mod destination;
pub mod fetch;
mod measured;
pub mod metadata;
pub mod pace;
pub mod room;
pub mod run_state;
mod sending;
pub mod upload;
pub mod work;

use std::time::Duration;

pub use config::Config;
use crispy_bucket::{Bucket, PutError};
use crispy_queue::Stage;
use crispy_runtime::{Exit, Failed, Stop, WithExit, health::readiness};
use destination::Destination;
use fetch::Spools;
use room::Room;
use tokio::time::sleep;
use tracing::warn;
use upload::Upload;

/// How often a bucket that failed at the start is asked again, for whoever looks at `/readyz`.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Uploads until it is told to stop.
pub async fn run(config: Config, stop: Stop) -> Result<(), Failed> {
    let bucket = crispy_runtime::open_bucket(&config.bucket, &config.options)?;
    match bucket.check_writable(0).await {
        // It is there, and has trouble: whoever is restarted in the middle of an outage waits for its end like all others.
        Err(error @ PutError::Transient { .. }) => {
            let error: &(dyn std::error::Error + 'static) = &error;
            warn!(
                error,
                "the bucket fails: starting all the same, and trying until it does not; if that lasts, see to what the error names"
            );
            report_until_it_is_there(bucket.clone());
        }
        checked => checked.exit(Exit::BucketUnavailable)?,
    }
    let connection = crispy_runtime::connect(
        &config.nats.options("crispy-uploader")?,
        &config.nats.prefix,
    )
    .await?;
    measured::begins();
    let producer = crispy_runtime::producer(env!("CARGO_PKG_VERSION"));
    let upload = Upload {
        destination: Destination::new(bucket, config.max_upload_rate),
        spools: Spools::new(&config.spool, Room::new(config.max_in_flight)),
        publisher: connection.publisher().await,
        subjects: connection.subjects(),
        producer: producer.clone(),
    };
    crispy_runtime::run_worker(
        connection,
        Stage::Uploader,
        config.concurrency,
        upload,
        &producer,
        &stop,
    )
    .await
}

/// The worker learns by its first chunk that the bucket is away. Without one we are not ready all the same.
fn report_until_it_is_there(bucket: Bucket) {
    let condition = readiness().condition("bucket");
    condition.unmet("it has failed since the start; the log says why");
    tokio::spawn(async move {
        while bucket.check_writable(0).await.is_err() {
            sleep(ASK_AGAIN).await;
        }
        condition.met();
    });
}
