//! Who is taken for killing its workers, and who is not.

use std::time::Duration;

use crispy_fault::{DependencyId, Fault};
use crispy_proto::v1::dead_letter::Kind;
use crispy_queue::Stream;

use crate::scene::{LEASE, Scene, eventually, quick};

#[tokio::test]
async fn a_message_that_nobody_lived_to_tell_of_is_given_up_unhandled() {
    let scene = Scene::new().await;
    scene.lease(Duration::from_millis(100)).await;
    scene.publish(0..1).await;
    let mut config = quick();
    config.limits.suspicious_deliveries = 1;
    for _ in 0..3 {
        let stuck = async |_, _| std::future::pending().await;
        let mut hand = scene.worker(config.clone(), stuck).await;
        hand.next().await;
        // As a crash does: without a word.
        hand.task.abort();
    }
    let mut hand = scene.worker(config, async |_, _| Ok(())).await;
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(scene.dead_letter(1).await.0.kind(), Kind::CrashGuard);
    assert_eq!(hand.so_far(), []);
}

#[tokio::test]
async fn a_message_that_waited_for_its_owner_150_times_is_handled_by_a_fresh_worker() {
    let scene = Scene::new().await;
    scene.publish(0..1).await;
    let mut config = quick();
    config.limits.longest_wait = Duration::from_millis(2);
    let away = async |_, _| {
        Err(Fault::unavailable_to_some(
            DependencyId::Spool("s1".into()),
            "host is away",
        ))
    };
    let mut hand = scene.worker(config.clone(), away).await;
    while hand.next().await.1.deliveries < 150 {}
    hand.stop().await;
    let mut fresh = scene.worker(config, async |_, _| Ok(())).await;
    assert!(fresh.next().await.1.deliveries > 150);
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(scene.count(Stream::Dead).await, 0);
    assert_eq!(scene.count(Stream::CrashMarks).await, 0);
    assert_eq!(fresh.stop().await.handled, 1);
}

#[tokio::test]
async fn a_worker_that_is_stopped_in_mid_handling_accuses_nobody() {
    let scene = Scene::new().await;
    scene.publish(0..1).await;
    let mut config = quick();
    config.grace = Duration::from_millis(50);
    (config.limits.suspicious_deliveries, config.limits.crashes) = (1, 1);
    let stuck = async |_, _| std::future::pending().await;
    let mut hand = scene.worker(config.clone(), stuck).await;
    hand.next().await;
    assert_eq!(scene.count(Stream::CrashMarks).await, 1, "it is marked");
    assert_eq!(hand.stop().await.handed_back, 1);
    let fresh = scene.worker(config, async |_, _| Ok(())).await;
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(fresh.stop().await.handled, 1);
}

#[tokio::test]
async fn a_worker_that_dies_before_its_ack_leaves_its_message_to_another() {
    let scene = Scene::new().await;
    scene.lease(LEASE).await;
    scene.publish(0..1).await;
    let stuck = async |_, _| std::future::pending().await;
    let mut first = scene.worker(quick(), stuck).await;
    first.next().await;
    first.task.abort();
    let mut second = scene.worker(quick(), async |_, _| Ok(())).await;
    let (_, delivery) = second.next().await;
    assert_eq!(delivery.deliveries, 2);
    assert!(delivery.is_repeated());
    scene.until_count(Stream::Chunks, 0).await;
}

/// Its worker has had it back without having handled it, and so has no idea what it does.
#[tokio::test]
async fn a_deadly_message_whose_dead_letter_is_refused_stays_unhandled() {
    let scene = Scene::new().await;
    scene.lease(Duration::from_millis(100)).await;
    scene.publish(0..1).await;
    let mut config = quick();
    (config.limits.suspicious_deliveries, config.limits.crashes) = (1, 1);
    let stuck = async |_, _| std::future::pending().await;
    let mut hand = scene.worker(config.clone(), stuck).await;
    hand.next().await;
    hand.task.abort();
    longest_letter(&scene, 16).await;
    let mut hand = scene.worker(config, async |_, _| Ok(())).await;
    let refused = scene.consumer().await.delivered.consumer_sequence + 3;
    eventually(async || scene.consumer().await.delivered.consumer_sequence >= refused).await;
    longest_letter(&scene, -1).await;
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(scene.dead_letter(1).await.0.kind(), Kind::CrashGuard);
    assert_eq!(hand.so_far(), []);
}

/// Refuses dead letters of more than so many bytes.
async fn longest_letter(scene: &Scene, bytes: i32) {
    let jetstream = scene.connection.jetstream();
    let stream = jetstream.get_stream("CRISPY_DEAD").await.unwrap();
    let mut config = stream.cached_info().config.clone();
    config.max_message_size = bytes;
    jetstream.update_stream(config).await.unwrap();
}
