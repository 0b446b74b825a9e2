//! One chunk that the store always fails on, among many good ones.

use crispy_queue::Stream;
use crispy_testbed::gcs::{Effect, Fault, GcsServer};

use crate::fixture::{Fixture, bucket, key};

const GOOD: u64 = 40;

#[tokio::test]
async fn a_chunk_that_always_fails_delays_no_other() {
    let (fixture, server) = (Fixture::new().await, GcsServer::start());
    let bucket = bucket(&server);
    let poison = fixture.commit(0, b"poison");
    let poisoned = key(&poison);
    server.inject(Fault::new(Effect::Status(500)).where_key(move |key| key == poisoned));
    fixture.publish(&poison).await;
    for sequence in 1..=GOOD {
        fixture
            .publish(&fixture.commit(sequence, &sequence.to_le_bytes()))
            .await;
    }
    let mut worker = fixture.worker(&bucket).await;
    // Its own retries take seconds, and the others must not wait for them.
    fixture.until_count(Stream::Uploaded, GOOD).await;
    assert_eq!(fixture.count(Stream::Dead).await, 0, "it is still retried");
    fixture.until_count(Stream::Dead, 1).await;
    fixture.until_count(Stream::Chunks, 0).await;
    assert!(!worker.has_paused(), "the worker never paused");
    let summary = worker.stop().await;
    assert_eq!((summary.handled, summary.dead_lettered), (GOOD, 1));
    assert_eq!(server.counts().created, GOOD);
}
