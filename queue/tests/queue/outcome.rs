//! What becomes of a message that was handled.

use std::time::Duration;

use bytes::Bytes;
use crispy_fault::Fault;
use crispy_jetstream::{Delivery, Limits};
use crispy_proto::v1::{ChunkReady, RunState, dead_letter::Kind};
use crispy_queue::{Message, Stage, Stream, message_id};
use tokio::time::sleep;

use crate::scene::{LEASE, Scene, camera, chunk, eventually, quick};

#[tokio::test]
async fn what_is_done_is_gone_from_the_queue_and_reported_as_handled() {
    let scene = Scene::new().await;
    scene.publish(0..20).await;
    let mut hand = scene.worker(quick(), async |_, _| Ok(())).await;
    for _ in 0..20 {
        let (_, delivery) = hand.next().await;
        assert_eq!((delivery.attempt, delivery.deliveries), (1, 1));
        assert_eq!(delivery.subject, "crispy.chunks.demo.front");
        assert!(delivery.message_id.unwrap().ends_with("@17"));
    }
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(hand.stop().await.handled, 20);
}

#[tokio::test]
async fn a_retry_comes_again_after_a_pause_and_counts_as_an_attempt() {
    let scene = Scene::new().await;
    scene.publish(0..1).await;
    let act = async |_, delivery: Delivery| match delivery.attempt {
        1 => Err(Fault::transient("not yet")),
        _ => Ok(()),
    };
    let mut hand = scene.worker(quick(), act).await;
    hand.next().await;
    let (_, delivery) = hand.next().await;
    assert_eq!((delivery.attempt, delivery.deliveries), (2, 2));
    scene.until_count(Stream::Chunks, 0).await;
    let summary = hand.stop().await;
    assert_eq!((summary.handled, summary.retried), (1, 1));
}

#[tokio::test]
async fn a_handler_that_panics_is_retried_and_takes_nobody_with_it() {
    let scene = Scene::new().await;
    scene.publish(0..5).await;
    let act = async |chunk: ChunkReady, delivery: Delivery| {
        let sequence = chunk.id.unwrap().sequence;
        assert!(sequence != 2 || delivery.attempt > 1, "as scripted");
        Ok(())
    };
    let hand = scene.worker(quick(), act).await;
    scene.until_count(Stream::Chunks, 0).await;
    let summary = hand.stop().await;
    assert_eq!(
        (summary.handled, summary.retried, summary.dead_lettered),
        (5, 1, 0)
    );
}

#[tokio::test]
async fn retries_over_the_limit_end_in_one_dead_letter() {
    let scene = Scene::new().await;
    scene.publish(0..1).await;
    let act = async |_, _| Err(Fault::transient("never works"));
    let hand = scene.worker(quick(), act).await;
    scene.until_count(Stream::Chunks, 0).await;
    let (letter, _) = scene.dead_letter(1).await;
    assert_eq!(letter.kind(), Kind::RetriesSpent);
    assert_eq!(
        (letter.reason.as_str(), letter.deliveries),
        ("never works", 3)
    );
    assert!(letter.first_failure_us < letter.last_failure_us);
    assert_eq!(hand.stop().await.retried, 2);
}

#[tokio::test]
async fn many_retries_in_a_short_time_are_not_given_up() {
    let scene = Scene::new().await;
    scene.publish(0..1).await;
    let mut config = quick();
    config.limits = Limits {
        retry_period: Duration::from_secs(600),
        ..config.limits
    };
    let act = async |_, _| Err(Fault::transient("not yet"));
    let mut hand = scene.worker(config, act).await;
    for attempt in 1..=20 {
        assert_eq!(hand.next().await.1.attempt, attempt);
    }
    assert_eq!(scene.count(Stream::Dead).await, 0);
}

#[tokio::test]
async fn a_reject_is_a_dead_letter_with_all_that_is_needed_to_send_it_again() {
    let scene = Scene::new().await;
    scene.publish(3..4).await;
    let created = scene
        .connection
        .stream_created(Stream::Chunks)
        .await
        .unwrap();
    let act = async |_, _| Err(Fault::rejected("no such thing"));
    let hand = scene.worker(quick(), act).await;
    scene.until_count(Stream::Chunks, 0).await;
    let (letter, id) = scene.dead_letter(1).await;
    assert_eq!(id, message_id::dead(Stage::Uploader, created, 1));
    assert_eq!(letter.payload, prost::Message::encode_to_vec(&chunk(3)));
    assert_eq!(letter.message_id, message_id::ready(&chunk(3)));
    assert_eq!(letter.subject, "crispy.chunks.demo.front");
    assert_eq!(letter.stream, "CRISPY_CHUNKS");
    assert_eq!(
        (letter.stream_sequence, letter.stream_created_us),
        (1, created)
    );
    assert_eq!((letter.stage.as_str(), letter.deliveries), ("uploader", 1));
    assert_eq!(letter.kind(), Kind::Rejected);
    assert_eq!(letter.reason, "no such thing");
    assert_eq!(letter.producer.unwrap().instance, "host/1");
    let kept = |name: &str| letter.headers.iter().any(|header| header.name == name);
    assert!(kept("Crispy-Type") && kept("Nats-Msg-Id"));
    assert_eq!(hand.stop().await.dead_lettered, 1);
}

#[tokio::test]
async fn a_message_is_not_given_up_before_its_dead_letter_is_stored() {
    let scene = Scene::new().await;
    scene.lease(LEASE).await;
    let jetstream = scene.connection.jetstream();
    jetstream.delete_stream("CRISPY_DEAD").await.unwrap();
    scene.publish(0..1).await;
    let act = async |_, _| Err(Fault::rejected("no such thing"));
    let mut config = quick();
    config.limits.dead_letter_timeout = Duration::from_secs(60);
    let mut hand = scene.worker(config, act).await;
    hand.next().await;
    // Longer than the lease: it is kept alive while its dead letter finds no stream.
    sleep(LEASE * 2).await;
    assert_eq!(scene.count(Stream::Chunks).await, 1);
    assert_eq!(hand.so_far(), []);
    scene.set_up().await;
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(scene.count(Stream::Dead).await, 1);
    assert_eq!(hand.stop().await.dead_lettered, 1);
}

#[tokio::test]
async fn poison_bytes_go_to_a_dead_letter_and_block_nobody() {
    let scene = Scene::new().await;
    publish_raw(&scene, ChunkReady::TYPE, b"\xff\xff\xff").await;
    publish_raw(&scene, "", b"hello").await;
    scene.publish(0..1).await;
    let hand = scene.worker(quick(), async |_, _| Ok(())).await;
    scene.until_count(Stream::Chunks, 0).await;
    scene.until_count(Stream::Dead, 2).await;
    for sequence in 1..=2 {
        let (letter, _) = scene.dead_letter(sequence).await;
        assert_eq!(letter.kind(), Kind::Undecodable);
    }
    let summary = hand.stop().await;
    assert_eq!((summary.handled, summary.dead_lettered), (1, 2));
}

/// More of it than a worker may hold.
#[tokio::test]
async fn poison_that_cannot_be_buried_holds_up_nobody_and_is_buried_once_it_can_be() {
    let scene = Scene::new().await;
    let dead = Stream::Dead.name(scene.connection.prefix());
    let jetstream = scene.connection.jetstream();
    jetstream.delete_stream(&dead).await.unwrap();
    for _ in 0..20 {
        publish_raw(&scene, ChunkReady::TYPE, b"\xff\xff\xff").await;
    }
    scene.publish(0..10).await;
    let hand = scene.worker(quick(), async |_, _| Ok(())).await;
    scene.until_count(Stream::Chunks, 20).await;
    scene.set_up().await;
    scene.until_count(Stream::Chunks, 0).await;
    scene.until_count(Stream::Dead, 20).await;
    assert_eq!(hand.stop().await.handled, 10);
}

#[tokio::test]
async fn what_a_newer_version_sent_waits_for_it_and_is_never_given_up() {
    let scene = Scene::new().await;
    publish_raw(&scene, RunState::TYPE, b"").await;
    let needy = ChunkReady {
        needs: vec!["teleport".into()],
        ..chunk(0)
    };
    publish_raw(
        &scene,
        ChunkReady::TYPE,
        &prost::Message::encode_to_vec(&needy),
    )
    .await;
    let mut config = quick();
    config.limits.suspicious_deliveries = 3;
    config.limits.longest_wait = Duration::from_millis(20);
    let hand = scene.worker(config, async |_, _| Ok(())).await;
    // Far beyond every limit there is.
    eventually(async || scene.consumer().await.delivered.consumer_sequence > 20).await;
    assert_eq!(scene.count(Stream::Dead).await, 0);
    assert_eq!(scene.count(Stream::Chunks).await, 2);
    let summary = hand.stop().await;
    assert_eq!((summary.handled, summary.dead_lettered), (0, 0));
}

async fn publish_raw(scene: &Scene, type_name: &str, payload: &[u8]) {
    let mut headers = async_nats::HeaderMap::new();
    if !type_name.is_empty() {
        headers.insert("Crispy-Type", type_name);
    }
    let subject = scene.connection.subjects().chunks(&camera()).to_string();
    let published = scene.connection.jetstream().publish_with_headers(
        subject,
        headers,
        Bytes::copy_from_slice(payload),
    );
    published.await.unwrap().await.unwrap();
}
