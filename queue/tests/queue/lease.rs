//! Leases and permits.

use std::time::Duration;

use crispy_queue::{Stream, WorkerConfig};
use tokio::time::{Instant, sleep};

use crate::fixture::{Fixture, LEASE, quick_config};

#[tokio::test]
async fn a_lease_is_extended_while_its_message_is_handled() {
    let fixture = Fixture::new().await;
    fixture.lease(LEASE).await;
    fixture.publish(0..4).await;
    let slow = async |_, _| {
        sleep(LEASE * 3).await;
        Ok(())
    };
    let worker = fixture.worker(quick_config(), slow).await;
    let other = fixture.worker(quick_config(), async |_, _| Ok(())).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(fixture.consumer().await.delivered.consumer_sequence, 4);
    assert_eq!(worker.stop().await.handled + other.stop().await.handled, 4);
}

#[tokio::test]
async fn a_worker_holds_at_most_twice_its_permits() {
    let fixture = Fixture::new().await;
    fixture.publish(0..100).await;
    let (mut worker, gate) = fixture.gated(quick_config()).await;
    for round in 0..10 {
        for _ in 0..8 {
            worker.next().await;
        }
        let info = fixture.consumer().await;
        assert!(
            info.num_ack_pending <= 16,
            "round {round}: {}",
            info.num_ack_pending
        );
        gate.add_permits(8);
    }
    gate.add_permits(20);
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(worker.stop().await.handled, 100);
}

#[tokio::test]
async fn a_message_is_handled_within_50_ms_of_its_publish() {
    let fixture = Fixture::new().await;
    let mut worker = fixture.worker(quick_config(), async |_, _| Ok(())).await;
    let mut delays = Vec::new();
    for sequence in 0..50 {
        let begun = Instant::now();
        fixture.publish(sequence..sequence + 1).await;
        worker.next().await;
        delays.push(begun.elapsed());
    }
    delays.sort();
    // Half a millisecond on an idle machine; the bound catches a worker that polls.
    assert!(delays[25] < Duration::from_millis(50), "{:?}", delays[25]);
}

#[tokio::test]
async fn workers_of_one_consumer_share_its_messages() {
    let fixture = Fixture::new().await;
    let act = async |_, _| {
        sleep(Duration::from_millis(10)).await;
        Ok(())
    };
    let config = WorkerConfig {
        concurrency: 2,
        ..quick_config()
    };
    let workers = [
        fixture.worker(config.clone(), act).await,
        fixture.worker(config, act).await,
    ];
    fixture.publish(0..40).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    for worker in workers {
        let handled = worker.stop().await.handled;
        assert!(handled >= 10, "{handled} of 40");
    }
}
