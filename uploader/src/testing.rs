//! The handler, for tests that deliver chunks without a process.

use std::path::PathBuf;

use crispy_bucket::Bucket;
use crispy_proto::v1;
use crispy_queue::Connection;

pub use crate::upload::{ChunkMessage, UploadHandler};
use crate::{fetch::SpoolReaders, memory_budget::MemoryBudget, monitored_bucket::MonitoredBucket};

/// The memory of chunks in flight, in bytes.
const MAX_IN_FLIGHT: u64 = 64 << 20;

/// A handler of chunks in these spools, without a rate limit.
pub async fn handler(connection: &Connection, bucket: Bucket, spools: &[PathBuf]) -> UploadHandler {
    UploadHandler {
        bucket: MonitoredBucket::new(bucket, None),
        spools: SpoolReaders::new(spools, MemoryBudget::new(MAX_IN_FLIGHT)),
        publisher: connection.publisher().await,
        subjects: connection.subjects(),
        producer: v1::Producer::default(),
    }
}
