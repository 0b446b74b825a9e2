//! The crash guard.

use std::time::Duration;

use crispy_fault::{DependencyId, Fault};
use crispy_proto::v1::dead_letter::Kind;
use crispy_queue::Stream;

use crate::fixture::{Fixture, LEASE, eventually, quick_config};

#[tokio::test]
async fn a_message_that_crashes_its_workers_is_dead_lettered_unhandled() {
    let fixture = Fixture::new().await;
    fixture.lease(Duration::from_millis(100)).await;
    fixture.publish(0..1).await;
    let mut config = quick_config();
    config.limits.suspicious_deliveries = 1;
    for _ in 0..3 {
        let stuck = async |_, _| std::future::pending().await;
        let mut worker = fixture.worker(config.clone(), stuck).await;
        worker.next().await;
        // Like a crash: nothing is handed back.
        worker.task.abort();
    }
    let mut worker = fixture.worker(config, async |_, _| Ok(())).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(fixture.dead_letter(1).await.0.kind(), Kind::CrashGuard);
    assert_eq!(worker.received_so_far(), []);
}

#[tokio::test]
async fn a_message_with_150_deliveries_and_no_crash_is_handled() {
    let fixture = Fixture::new().await;
    fixture.publish(0..1).await;
    let mut config = quick_config();
    config.limits.longest_wait = Duration::from_millis(2);
    let unreachable = async |_, _| {
        Err(Fault::unavailable_to_some(
            DependencyId::Spool("s1".into()),
            "spool unreachable",
        ))
    };
    let mut worker = fixture.worker(config.clone(), unreachable).await;
    while worker.next().await.1.deliveries < 150 {}
    worker.stop().await;
    let mut fresh = fixture.worker(config, async |_, _| Ok(())).await;
    assert!(fresh.next().await.1.deliveries > 150);
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(fixture.count(Stream::Dead).await, 0);
    assert_eq!(fixture.count(Stream::CrashMarks).await, 0);
    assert_eq!(fresh.stop().await.handled, 1);
}

#[tokio::test]
async fn a_stopped_worker_leaves_no_crash_mark() {
    let fixture = Fixture::new().await;
    fixture.publish(0..1).await;
    let mut config = quick_config();
    config.grace = Duration::from_millis(50);
    (config.limits.suspicious_deliveries, config.limits.crashes) = (1, 1);
    let stuck = async |_, _| std::future::pending().await;
    let mut worker = fixture.worker(config.clone(), stuck).await;
    worker.next().await;
    assert_eq!(fixture.count(Stream::CrashMarks).await, 1, "marked");
    assert_eq!(worker.stop().await.handed_back, 1);
    let fresh = fixture.worker(config, async |_, _| Ok(())).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(fresh.stop().await.handled, 1);
}

#[tokio::test]
async fn a_crashed_worker_leaves_its_message_to_another() {
    let fixture = Fixture::new().await;
    fixture.lease(LEASE).await;
    fixture.publish(0..1).await;
    let stuck = async |_, _| std::future::pending().await;
    let mut first = fixture.worker(quick_config(), stuck).await;
    first.next().await;
    first.task.abort();
    let mut second = fixture.worker(quick_config(), async |_, _| Ok(())).await;
    let (_, delivery) = second.next().await;
    assert_eq!(delivery.deliveries, 2);
    assert!(delivery.is_repeated());
    fixture.wait_for_count(Stream::Chunks, 0).await;
}

/// The worker has handed it back without an attempt, so it knows nothing about it.
#[tokio::test]
async fn a_deadly_message_stays_unhandled_while_its_dead_letter_is_refused() {
    let fixture = Fixture::new().await;
    fixture.lease(Duration::from_millis(100)).await;
    fixture.publish(0..1).await;
    let mut config = quick_config();
    (config.limits.suspicious_deliveries, config.limits.crashes) = (1, 1);
    let stuck = async |_, _| std::future::pending().await;
    let mut worker = fixture.worker(config.clone(), stuck).await;
    worker.next().await;
    worker.task.abort();
    limit_dead_letters(&fixture, 16).await;
    let mut worker = fixture.worker(config, async |_, _| Ok(())).await;
    let refused = fixture.consumer().await.delivered.consumer_sequence + 3;
    eventually(async || fixture.consumer().await.delivered.consumer_sequence >= refused).await;
    limit_dead_letters(&fixture, -1).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(fixture.dead_letter(1).await.0.kind(), Kind::CrashGuard);
    assert_eq!(worker.received_so_far(), []);
}

/// Limits the size of dead letters.
async fn limit_dead_letters(fixture: &Fixture, bytes: i32) {
    let jetstream = fixture.connection.jetstream();
    let stream = jetstream.get_stream("CRISPY_DEAD").await.unwrap();
    let mut config = stream.cached_info().config.clone();
    config.max_message_size = bytes;
    jetstream.update_stream(config).await.unwrap();
}
