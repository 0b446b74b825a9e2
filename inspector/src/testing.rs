//! The handler, for tests that deliver events without a process.

use crispy_bucket::Bucket;
use crispy_proto::v1;
use crispy_queue::Connection;

pub use crate::inspect::InspectHandler;

/// A handler that reads `bucket`.
pub async fn handler(connection: &Connection, bucket: Bucket) -> InspectHandler {
    InspectHandler {
        buckets: vec![bucket],
        publisher: connection.publisher().await,
        subjects: connection.subjects(),
        producer: v1::Producer::default(),
    }
}
