//! The inspector: reads uploaded objects back, and compares them with their descriptors.
//!
//! ```text
//!   JetStream ── ChunkUploaded ─► inspect ── ranges ── compare ─► log, ChunkInspected
//! ```
//!
//! An upload is proved by another process than its uploader. The inspector reads just enough of
//! each object to learn its resolution (height, width, colour channels) and exact duration, and
//! compares them with the descriptor that was written when the chunk was cut. FFmpeg's C code
//! parses untrusted cameras' output: a crash takes down this process and nothing else.
//!
//! * `inspect`: the handler
//! * `compare`: the comparison, pure
//! * `report`: the message and the log line
#![warn(missing_docs)]

mod compare;
mod config;
mod inspect;
mod metrics;
mod report;
#[doc(hidden)]
pub mod testing;

pub use config::Config;
use crispy_queue::Stage;
use crispy_runtime::{Failed, Stop};
use inspect::InspectHandler;

/// Inspects until it is stopped.
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
    let handler = InspectHandler {
        buckets,
        publisher: connection.publisher().await,
        subjects: connection.subjects(),
        producer: producer.clone(),
    };
    crispy_runtime::run_worker(
        connection,
        Stage::Inspector,
        config.concurrency,
        handler,
        &producer,
        &stop,
    )
    .await
}
