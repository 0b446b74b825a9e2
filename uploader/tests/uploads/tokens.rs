//! Tokens that expire while chunks are uploaded.

use std::time::Duration;

use crispy_bucket::{Bucket, BucketOptions};
use crispy_queue::Stream;
use crispy_testbed::gcs::{GcsServer, Options};
use tokio::time::sleep;

use crate::fixture::{Fixture, bucket_url};

const CHUNKS: u64 = 100;

/// The simulator's bucket, with tokens of its metadata server.
fn bucket(server: &GcsServer) -> Bucket {
    let options = BucketOptions::new()
        .with_variable("GCE_METADATA_HOST", &server.address().to_string())
        .with_option(&format!("base_url={}", server.url()))
        .unwrap();
    Bucket::open_with(&bucket_url(), &options).unwrap()
}

#[tokio::test]
async fn an_expired_token_affects_no_chunk() {
    let server = GcsServer::start_with(Options {
        token_required: true,
        ..Options::default()
    });
    let fixture = Fixture::new().await;
    let mut worker = fixture.worker(&bucket(&server)).await;
    for sequence in 0..CHUNKS {
        fixture
            .publish(&fixture.commit(sequence, &sequence.to_le_bytes()))
            .await;
        if sequence % 20 == 10 {
            // Before their time, as after a revocation: no client could have refreshed them.
            server.expire_tokens();
        }
        sleep(Duration::from_millis(5)).await;
    }
    fixture.until_count(Stream::Chunks, 0).await;
    let expired = server.requests().into_iter();
    let expired = expired.filter(|asked| asked.status == Some(401)).count();
    assert!(expired >= 5, "{expired} requests met an expired token");
    assert!(!worker.has_paused(), "the worker never paused");
    assert_eq!(fixture.deliveries().await, CHUNKS);
    assert_eq!(worker.stop().await.retried, 0);
    assert_eq!(server.counts().created, CHUNKS);
}
