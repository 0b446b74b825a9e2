//! Workers that are told to stop.

use std::sync::Arc;
use std::time::Duration;

use crispy_proto::v1::ChunkReady;
use crispy_queue::Stream;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::scene::{Scene, quick};

#[tokio::test]
async fn a_stopping_worker_finishes_what_runs_and_hands_back_what_does_not() {
    let scene = Scene::new().await;
    scene.publish(0..10).await;
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
    let mut config = quick();
    config.grace = Duration::from_millis(500);
    let mut hand = scene.worker(config, act).await;
    for _ in 0..8 {
        hand.next().await;
    }
    hand.stop.cancel();
    gate.add_permits(4);
    let summary = hand.stop().await;
    assert_eq!((summary.handled, summary.handed_back), (4, 4));
    // Not when their lease of 30 s is over: at once.
    let begun = Instant::now();
    let other = scene.worker(quick(), async |_, _| Ok(())).await;
    scene.until_count(Stream::Chunks, 0).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(other.stop().await.handled, 6);
}

#[tokio::test]
async fn a_worker_whose_server_is_dead_stops_within_its_grace() {
    let mut scene = Scene::new().await;
    scene.publish(0..1).await;
    let mut config = quick();
    config.grace = Duration::from_secs(1);
    let never = async |_, _| std::future::pending().await;
    let mut hand = scene.worker(config, never).await;
    hand.next().await;
    scene.server.kill9();
    let mut link = hand.connection.state();
    link.wait_for(|link| !link.connected).await.unwrap();
    let (begun, connection) = (Instant::now(), hand.connection.clone());
    assert_eq!(hand.stop().await.handed_back, 1);
    connection.close().await;
    // Both would wait 2 s for an answer.
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
}
