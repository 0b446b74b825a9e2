//! The inspector: bucket to inspection.
//!
//! ```text
//!   JetStream ── ChunkUploaded ─► inspect ── a few ranges of the object ── agree ─► log line, ChunkInspected
//! ```
//!
//! Nobody believes an upload because the uploader says so. The inspector hears of each, reads just enough of the object back to learn
//! its resolution (height, width, colour channels) and exact duration, and holds that against the descriptor that was written when the
//! chunk was cut. FFmpeg's C code reads what strangers' cameras produced: should it crash, it takes this process and nothing else.
//!
//! * [`config`]: what it is told
//! * [`inspect`]: the handler
//! * [`agree`]: the comparison, pure
//! * [`report`]: the message and the log line
#![warn(missing_docs)]

pub mod agree;
pub mod config;
pub mod inspect;
mod measured;
pub mod report;

pub use config::Config;
use crispy_queue::Stage;
use crispy_runtime::{Failed, Stop};
use inspect::Inspect;

/// Inspects until it is told to stop.
pub async fn run(config: Config, stop: Stop) -> Result<(), Failed> {
    let mut buckets = Vec::with_capacity(config.bucket.len());
    for url in &config.bucket {
        buckets.push(crispy_runtime::open_bucket(url, &config.options)?);
    }
    let connection = crispy_runtime::connect(
        &config.nats.options("crispy-inspector")?,
        &config.nats.prefix,
    )
    .await?;
    let producer = crispy_runtime::producer(env!("CARGO_PKG_VERSION"));
    let inspect = Inspect {
        buckets,
        publisher: connection.publisher().await,
        subjects: connection.subjects(),
        producer: producer.clone(),
    };
    crispy_runtime::run_worker(
        connection,
        Stage::Inspector,
        config.concurrency,
        inspect,
        &producer,
        &stop,
    )
    .await
}
