//! Two uploaders with the same chunk at the same moment: a lease that ran out while its owner was
//! still at it.

use std::collections::HashMap;

use crispy_jetstream::Delivery;
use crispy_queue::Handler;
use crispy_testbed::gcs::GcsServer;
use crispy_uploader::testing::ChunkMessage;
use futures_util::future::join;

use crate::fixture::{Fixture, bucket};

const CHUNKS: u64 = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_uploaders_with_one_chunk_one_stores_it() {
    let (fixture, server) = (Fixture::new().await, GcsServer::start());
    let bucket = bucket(&server);
    let (one, other) = join(fixture.upload(&bucket), fixture.upload(&bucket)).await;
    for sequence in 0..CHUNKS {
        let chunk = fixture.commit(sequence, &sequence.to_le_bytes());
        let message = || ChunkMessage::Chunk(Box::new(chunk.clone()));
        // Distinct message ids: the stream would drop the second announcement as a duplicate.
        let delivery = |uploader: &str| Delivery {
            message_id: Some(format!("{sequence}-{uploader}")),
            deliveries: 1,
            ..Delivery::default()
        };
        let (first, second) = (delivery("one"), delivery("other"));
        let (first, second) = join(
            one.handle(message(), &first),
            other.handle(message(), &second),
        )
        .await;
        first.and(second).unwrap();
    }
    let counts = server.counts();
    assert_eq!((counts.created, counts.overwritten), (CHUNKS, 0));
    let mut outcomes: HashMap<String, Vec<(bool, String)>> = HashMap::new();
    for event in fixture.events(2 * CHUNKS as usize).await {
        let outcome = (event.already_there, event.generation);
        outcomes.entry(event.object).or_default().push(outcome);
    }
    assert_eq!(outcomes.len() as u64, CHUNKS);
    for (object, mut outcomes) in outcomes {
        outcomes.sort_unstable();
        let [(false, stored), (true, found)] = &outcomes[..] else {
            panic!("{object}: {outcomes:?}");
        };
        assert_eq!(stored, found, "{object}: both name the same generation");
    }
}
