//! Two uploaders with the same chunk at the same moment: a lease that ran out while its owner was
//! still at it.

use std::collections::HashMap;

use crispy_jetstream::Delivery;
use crispy_queue::Handler;
use crispy_testbed::gcs::GcsServer;
use crispy_uploader::testing::ChunkMessage;
use futures_util::future::join;

use crate::ground::{Ground, bucket};

const CHUNKS: u64 = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_uploaders_with_one_chunk_one_stores_it() {
    let (ground, server) = (Ground::new().await, GcsServer::start());
    let bucket = bucket(&server);
    let (one, other) = join(ground.upload(&bucket), ground.upload(&bucket)).await;
    for sequence in 0..CHUNKS {
        let chunk = ground.commit(sequence, &sequence.to_le_bytes());
        let message = || ChunkMessage::Chunk(Box::new(chunk.clone()));
        // As if each had its own sending: the stream would hide the second announcement otherwise.
        let delivery = |whose: &str| Delivery {
            message_id: Some(format!("{sequence}-{whose}")),
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
    let mut said: HashMap<String, Vec<(bool, String)>> = HashMap::new();
    for event in ground.events(2 * CHUNKS as usize).await {
        let words = (event.already_there, event.generation);
        said.entry(event.object).or_default().push(words);
    }
    assert_eq!(said.len() as u64, CHUNKS);
    for (object, mut words) in said {
        words.sort_unstable();
        let [(false, stored), (true, found)] = &words[..] else {
            panic!("{object}: {words:?}");
        };
        assert_eq!(stored, found, "{object}: both name the same generation");
    }
}
