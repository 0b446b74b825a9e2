//! Stopping workers.

use std::sync::Arc;
use std::time::Duration;

use crispy_proto::v1::ChunkReady;
use crispy_queue::Stream;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::fixture::{Fixture, quick_config};

#[tokio::test]
async fn a_stopping_worker_finishes_or_hands_back_its_messages() {
    let fixture = Fixture::new().await;
    fixture.publish(0..10).await;
    let gate = Arc::new(Semaphore::new(0));
    let passing = Arc::clone(&gate);
    let act = move |chunk: ChunkReady, _| {
        let gate = Arc::clone(&passing);
        async move {
            // Half of them never finish.
            if chunk.id.unwrap().sequence.is_multiple_of(2) {
                std::future::pending::<()>().await;
            }
            gate.acquire().await.unwrap().forget();
            Ok(())
        }
    };
    let mut config = quick_config();
    config.grace = Duration::from_millis(500);
    let mut worker = fixture.worker(config, act).await;
    for _ in 0..8 {
        worker.next().await;
    }
    worker.stop.cancel();
    gate.add_permits(4);
    let summary = worker.stop().await;
    assert_eq!((summary.handled, summary.handed_back), (4, 4));
    // At once, and not when their lease of 30 s is over.
    let begun = Instant::now();
    let other = fixture.worker(quick_config(), async |_, _| Ok(())).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(other.stop().await.handled, 6);
}

#[tokio::test]
async fn a_worker_without_a_server_stops_within_its_grace() {
    let mut fixture = Fixture::new().await;
    fixture.publish(0..1).await;
    let mut config = quick_config();
    config.grace = Duration::from_secs(1);
    let never = async |_, _| std::future::pending().await;
    let mut worker = fixture.worker(config, never).await;
    worker.next().await;
    fixture.server.kill9();
    let mut link = worker.connection.state();
    link.wait_for(|link| !link.connected).await.unwrap();
    let (begun, connection) = (Instant::now(), worker.connection.clone());
    assert_eq!(worker.stop().await.handed_back, 1);
    connection.close().await;
    // Both steps would wait 2 s for an answer.
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}
