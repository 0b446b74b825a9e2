//! What a worker takes, and how it keeps it.

use std::time::Duration;

use crispy_queue::{Stream, WorkerConfig};
use tokio::time::{Instant, sleep};

use crate::scene::{LEASE, Scene, quick};

#[tokio::test]
async fn a_handler_that_takes_three_leases_is_not_disturbed() {
    let scene = Scene::new().await;
    scene.lease(LEASE).await;
    scene.publish(0..4).await;
    let slow = async |_, _| {
        sleep(LEASE * 3).await;
        Ok(())
    };
    let hand = scene.worker(quick(), slow).await;
    let other = scene.worker(quick(), async |_, _| Ok(())).await;
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(scene.consumer().await.delivered.consumer_sequence, 4);
    assert_eq!(hand.stop().await.handled + other.stop().await.handled, 4);
}

#[tokio::test]
async fn a_worker_never_holds_more_than_it_has_hands_for() {
    let scene = Scene::new().await;
    scene.publish(0..100).await;
    let (mut hand, gate) = scene.gated(quick()).await;
    for round in 0..10 {
        for _ in 0..8 {
            hand.next().await;
        }
        let info = scene.consumer().await;
        assert!(
            info.num_ack_pending <= 16,
            "round {round}: {}",
            info.num_ack_pending
        );
        gate.add_permits(8);
    }
    gate.add_permits(20);
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(hand.stop().await.handled, 100);
}

#[tokio::test]
async fn a_message_is_handled_a_moment_after_it_was_published() {
    let scene = Scene::new().await;
    let mut hand = scene.worker(quick(), async |_, _| Ok(())).await;
    let mut delays = Vec::new();
    for sequence in 0..50 {
        let begun = Instant::now();
        scene.publish(sequence..sequence + 1).await;
        hand.next().await;
        delays.push(begun.elapsed());
    }
    delays.sort();
    // Half a millisecond when nothing else runs; this bound catches a worker that polls.
    assert!(delays[25] < Duration::from_millis(50), "{:?}", delays[25]);
}

#[tokio::test]
async fn workers_of_one_durable_share_its_work() {
    let scene = Scene::new().await;
    let act = async |_, _| {
        sleep(Duration::from_millis(10)).await;
        Ok(())
    };
    let config = WorkerConfig {
        concurrency: 2,
        ..quick()
    };
    let hands = [
        scene.worker(config.clone(), act).await,
        scene.worker(config, act).await,
    ];
    scene.publish(0..40).await;
    scene.until_count(Stream::Chunks, 0).await;
    for hand in hands {
        let handled = hand.stop().await.handled;
        assert!(handled >= 10, "{handled} of 40");
    }
}
