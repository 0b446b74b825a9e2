//! One chunk that the store can never take, among many that it can.

use crispy_queue::Stream;
use crispy_testbed::gcs::{Effect, Fault, GcsServer};

use crate::ground::{Ground, bucket, key};

const GOOD: u64 = 40;

#[tokio::test]
async fn a_chunk_that_always_fails_delays_no_other() {
    let (ground, server) = (Ground::new().await, GcsServer::start());
    let bucket = bucket(&server);
    let poison = ground.commit(0, b"whatever");
    let poisoned = key(&poison);
    server.inject(Fault::new(Effect::Status(500)).where_key(move |key| key == poisoned));
    ground.publish(&poison).await;
    for sequence in 1..=GOOD {
        ground
            .publish(&ground.commit(sequence, &sequence.to_le_bytes()))
            .await;
    }
    let mut hand = ground.worker(&bucket).await;
    // Its own attempts take seconds: the others must not wait for them.
    ground.until_count(Stream::Uploaded, GOOD).await;
    assert_eq!(
        ground.count(Stream::Dead).await,
        0,
        "it is still being tried"
    );
    ground.until_count(Stream::Dead, 1).await;
    ground.until_count(Stream::Chunks, 0).await;
    assert!(!hand.has_waited(), "the bucket was never taken for away");
    let summary = hand.stop().await;
    assert_eq!((summary.handled, summary.dead_lettered), (GOOD, 1));
    assert_eq!(server.counts().created, GOOD);
}
