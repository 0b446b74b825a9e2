//! Tokens that expire while chunks are uploaded.

use std::time::Duration;

use crispy_bucket::{Bucket, BucketOptions};
use crispy_queue::Stream;
use crispy_testbed::gcs::{GcsServer, Options};
use tokio::time::sleep;

use crate::ground::{Ground, bucket_url};

const CHUNKS: u64 = 100;

/// The simulator's bucket, for those who have a token of its metadata server.
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
    let ground = Ground::new().await;
    let mut hand = ground.worker(&bucket(&server)).await;
    for sequence in 0..CHUNKS {
        ground
            .publish(&ground.commit(sequence, &sequence.to_le_bytes()))
            .await;
        if sequence % 20 == 10 {
            // Before their time, as when somebody revokes them: nobody could have refreshed them.
            server.expire_tokens();
        }
        sleep(Duration::from_millis(5)).await;
    }
    ground.until_count(Stream::Chunks, 0).await;
    let expired = server.requests().into_iter();
    let expired = expired.filter(|asked| asked.status == Some(401)).count();
    assert!(expired >= 5, "{expired} requests met an expired token");
    assert!(!hand.has_waited(), "the bucket was never taken for away");
    assert_eq!(ground.deliveries().await, CHUNKS);
    assert_eq!(hand.stop().await.retried, 0);
    assert_eq!(server.counts().created, CHUNKS);
}
