//! Decisions after an attempt: ack, retry, dead letter.

use std::time::Duration;

use bytes::Bytes;
use crispy_fault::Fault;
use crispy_jetstream::{Delivery, Limits};
use crispy_proto::v1::{ChunkReady, RunState, dead_letter::Kind};
use crispy_queue::{Message, Stage, Stream, message_id};
use tokio::time::sleep;

use crate::fixture::{Fixture, LEASE, camera, chunk, eventually, quick_config};

#[tokio::test]
async fn a_handled_message_leaves_its_stream() {
    let fixture = Fixture::new().await;
    fixture.publish(0..20).await;
    let mut worker = fixture.worker(quick_config(), async |_, _| Ok(())).await;
    for _ in 0..20 {
        let (_, delivery) = worker.next().await;
        assert_eq!((delivery.attempt, delivery.deliveries), (1, 1));
        assert_eq!(delivery.subject, "crispy.chunks.demo.front");
        assert!(delivery.message_id.unwrap().ends_with("@17"));
    }
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(worker.stop().await.handled, 20);
}

#[tokio::test]
async fn a_transient_fault_is_retried_and_counted() {
    let fixture = Fixture::new().await;
    fixture.publish(0..1).await;
    let act = async |_, delivery: Delivery| match delivery.attempt {
        1 => Err(Fault::transient("not yet")),
        _ => Ok(()),
    };
    let mut worker = fixture.worker(quick_config(), act).await;
    worker.next().await;
    let (_, delivery) = worker.next().await;
    assert_eq!((delivery.attempt, delivery.deliveries), (2, 2));
    fixture.wait_for_count(Stream::Chunks, 0).await;
    let summary = worker.stop().await;
    assert_eq!((summary.handled, summary.retried), (1, 1));
}

#[tokio::test]
async fn a_panic_is_retried_and_harms_no_other_message() {
    let fixture = Fixture::new().await;
    fixture.publish(0..5).await;
    let act = async |chunk: ChunkReady, delivery: Delivery| {
        let sequence = chunk.id.unwrap().sequence;
        assert!(sequence != 2 || delivery.attempt > 1, "scripted panic");
        Ok(())
    };
    let worker = fixture.worker(quick_config(), act).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    let summary = worker.stop().await;
    assert_eq!(
        (summary.handled, summary.retried, summary.dead_lettered),
        (5, 1, 0)
    );
}

#[tokio::test]
async fn retries_over_the_limit_end_in_one_dead_letter() {
    let fixture = Fixture::new().await;
    fixture.publish(0..1).await;
    let act = async |_, _| Err(Fault::transient("never works"));
    let worker = fixture.worker(quick_config(), act).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    let (letter, _) = fixture.dead_letter(1).await;
    assert_eq!(letter.kind(), Kind::RetriesSpent);
    assert_eq!(
        (letter.reason.as_str(), letter.deliveries),
        ("never works", 3)
    );
    assert!(letter.first_failure_us < letter.last_failure_us);
    assert_eq!(worker.stop().await.retried, 2);
}

#[tokio::test]
async fn many_retries_in_a_short_time_make_no_dead_letter() {
    let fixture = Fixture::new().await;
    fixture.publish(0..1).await;
    let mut config = quick_config();
    config.limits = Limits {
        retry_period: Duration::from_secs(600),
        ..config.limits
    };
    let act = async |_, _| Err(Fault::transient("not yet"));
    let mut worker = fixture.worker(config, act).await;
    for attempt in 1..=20 {
        assert_eq!(worker.next().await.1.attempt, attempt);
    }
    assert_eq!(fixture.count(Stream::Dead).await, 0);
}

#[tokio::test]
async fn a_dead_letter_has_everything_for_its_replay() {
    let fixture = Fixture::new().await;
    fixture.publish(3..4).await;
    let created = fixture
        .connection
        .stream_created(Stream::Chunks)
        .await
        .unwrap();
    let act = async |_, _| Err(Fault::rejected("no such thing"));
    let worker = fixture.worker(quick_config(), act).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    let (letter, id) = fixture.dead_letter(1).await;
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
    let has_header = |name: &str| letter.headers.iter().any(|header| header.name == name);
    assert!(has_header("Crispy-Type") && has_header("Nats-Msg-Id"));
    assert_eq!(worker.stop().await.dead_lettered, 1);
}

#[tokio::test]
async fn a_message_leaves_only_after_its_dead_letter_is_stored() {
    let fixture = Fixture::new().await;
    fixture.lease(LEASE).await;
    let jetstream = fixture.connection.jetstream();
    jetstream.delete_stream("CRISPY_DEAD").await.unwrap();
    fixture.publish(0..1).await;
    let act = async |_, _| Err(Fault::rejected("no such thing"));
    let mut config = quick_config();
    config.limits.dead_letter_timeout = Duration::from_secs(60);
    let mut worker = fixture.worker(config, act).await;
    worker.next().await;
    // Longer than the lease: it is extended while the dead letter has no stream.
    sleep(LEASE * 2).await;
    assert_eq!(fixture.count(Stream::Chunks).await, 1);
    assert_eq!(worker.received_so_far(), []);
    fixture.set_up().await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(fixture.count(Stream::Dead).await, 1);
    assert_eq!(worker.stop().await.dead_lettered, 1);
}

#[tokio::test]
async fn poison_is_dead_lettered_and_blocks_no_other_message() {
    let fixture = Fixture::new().await;
    publish_raw(&fixture, ChunkReady::TYPE, b"\xff\xff\xff").await;
    publish_raw(&fixture, "", b"hello").await;
    fixture.publish(0..1).await;
    let worker = fixture.worker(quick_config(), async |_, _| Ok(())).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    fixture.wait_for_count(Stream::Dead, 2).await;
    for sequence in 1..=2 {
        let (letter, _) = fixture.dead_letter(sequence).await;
        assert_eq!(letter.kind(), Kind::Undecodable);
    }
    let summary = worker.stop().await;
    assert_eq!((summary.handled, summary.dead_lettered), (1, 2));
}

/// More poison than a worker may hold.
#[tokio::test]
async fn poison_blocks_no_other_message_while_dead_letters_cannot_be_stored() {
    let fixture = Fixture::new().await;
    let dead = Stream::Dead.name(fixture.connection.prefix());
    let jetstream = fixture.connection.jetstream();
    jetstream.delete_stream(&dead).await.unwrap();
    for _ in 0..20 {
        publish_raw(&fixture, ChunkReady::TYPE, b"\xff\xff\xff").await;
    }
    fixture.publish(0..10).await;
    let worker = fixture.worker(quick_config(), async |_, _| Ok(())).await;
    fixture.wait_for_count(Stream::Chunks, 20).await;
    fixture.set_up().await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    fixture.wait_for_count(Stream::Dead, 20).await;
    assert_eq!(worker.stop().await.handled, 10);
}

#[tokio::test]
async fn messages_of_a_newer_version_wait_for_it() {
    let fixture = Fixture::new().await;
    publish_raw(&fixture, RunState::TYPE, b"").await;
    let needy = ChunkReady {
        needs: vec!["teleport".into()],
        ..chunk(0)
    };
    publish_raw(
        &fixture,
        ChunkReady::TYPE,
        &prost::Message::encode_to_vec(&needy),
    )
    .await;
    let mut config = quick_config();
    config.limits.suspicious_deliveries = 3;
    config.limits.longest_wait = Duration::from_millis(20);
    let worker = fixture.worker(config, async |_, _| Ok(())).await;
    // Far beyond every limit.
    eventually(async || fixture.consumer().await.delivered.consumer_sequence > 20).await;
    assert_eq!(fixture.count(Stream::Dead).await, 0);
    assert_eq!(fixture.count(Stream::Chunks).await, 2);
    let summary = worker.stop().await;
    assert_eq!((summary.handled, summary.dead_lettered), (0, 0));
}

async fn publish_raw(fixture: &Fixture, type_name: &str, payload: &[u8]) {
    let mut headers = async_nats::HeaderMap::new();
    if !type_name.is_empty() {
        headers.insert("Crispy-Type", type_name);
    }
    let subject = fixture.connection.subjects().chunks(&camera()).to_string();
    let published = fixture.connection.jetstream().publish_with_headers(
        subject,
        headers,
        Bytes::copy_from_slice(payload),
    );
    published.await.unwrap().await.unwrap();
}
