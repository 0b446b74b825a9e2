//! Getting messages into their streams.

use std::time::{Duration, Instant};

use async_nats::jetstream::stream;
use crispy_jetstream::{PublishError, Stall};
use crispy_queue::{Stream, message_id};
use crispy_testbed::NatsOptions;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::scene::{PATIENCE, Scene, camera, chunk, eventually, publish};

#[tokio::test]
async fn a_second_publish_under_the_same_id_says_duplicate_and_stores_nothing() {
    let scene = Scene::new().await;
    let publisher = scene.publisher().await;
    let subject = scene.connection.subjects().chunks(&camera());
    let chunk = chunk(0);
    let id = message_id::ready(&chunk);
    let first = publisher
        .publish(subject.clone(), &id, &chunk)
        .await
        .unwrap();
    let second = publisher
        .publish(subject.clone(), &id, &chunk)
        .await
        .unwrap();
    assert!(!first.duplicate && second.duplicate);
    assert_eq!(first.sequence, second.sequence);
    let again = message_id::resend(&id, 1);
    assert!(
        !publisher
            .publish(subject, &again, &chunk)
            .await
            .unwrap()
            .duplicate
    );
    assert_eq!(scene.count(Stream::Chunks).await, 2);
}

#[tokio::test]
async fn a_message_is_queued_while_its_stream_holds_that_very_message() {
    let mut scene = Scene::new().await;
    let publisher = scene.publisher().await;
    publish(&publisher, &scene.connection, &chunk(0)).await;
    let id = message_id::ready(&chunk(0));
    let is_queued =
        async |scene: &Scene, id: &str| scene.connection.is_queued(Stream::Chunks, 1, id).await;
    assert!(is_queued(&scene, &id).await.unwrap());
    assert!(!is_queued(&scene, "another").await.unwrap());
    let created = scene
        .connection
        .stream_created(Stream::Chunks)
        .await
        .unwrap();

    scene.server.wipe();
    scene.server.restart();
    let state = scene.connection.state();
    eventually(async || state.borrow().connected).await;
    assert!(
        !is_queued(&scene, &id).await.unwrap(),
        "the stream is not there"
    );
    scene.set_up().await;
    assert!(
        !is_queued(&scene, &id).await.unwrap(),
        "the stream is empty"
    );
    publish(&publisher, &scene.connection, &chunk(5)).await;
    assert!(
        !is_queued(&scene, &id).await.unwrap(),
        "the place is another's"
    );
    let again = scene
        .connection
        .stream_created(Stream::Chunks)
        .await
        .unwrap();
    assert_ne!(created, again);
}

#[tokio::test]
async fn a_full_stream_holds_its_publishers_back_until_there_is_room() {
    let scene = Scene::new().await;
    let name = Stream::Chunks.name(scene.connection.prefix());
    let stream = scene.connection.jetstream().get_stream(name).await.unwrap();
    let small = stream::Config {
        max_bytes: 4096,
        ..stream.cached_info().config.clone()
    };
    let jetstream = scene.connection.jetstream();
    jetstream.update_stream(&small).await.unwrap();
    let publisher = scene.publisher().await;
    let stalls = publisher.stalls();
    let (filler, connection) = (publisher.clone(), scene.connection.clone());
    let filling = tokio::spawn(async move {
        for sequence in 0..100 {
            publish(&filler, &connection, &chunk(sequence)).await;
        }
    });
    eventually(async || stalls.borrow().get("CRISPY_CHUNKS") == Some(&Stall::Full)).await;
    let stored = scene.count(Stream::Chunks).await;
    assert!((1..100).contains(&stored), "{stored}");

    let roomy = stream::Config {
        max_bytes: 1 << 20,
        ..small
    };
    jetstream.update_stream(&roomy).await.unwrap();
    timeout(PATIENCE, filling).await.unwrap().unwrap();
    assert_eq!(scene.count(Stream::Chunks).await, 100);
    assert!(stalls.borrow().is_empty());
}

#[tokio::test]
async fn an_outage_is_waited_out_and_nothing_is_stored_twice() {
    let mut scene = Scene::new().await;
    let publisher = scene.publisher().await;
    publish(&publisher, &scene.connection, &chunk(0)).await;
    scene.server.kill9();
    let connection = scene.connection.clone();
    let publishing = tokio::spawn(async move {
        let connection = &connection;
        let chunks: Vec<_> = (1..200).map(chunk).collect();
        let sending = chunks
            .iter()
            .map(|chunk| publish(&publisher, connection, chunk));
        futures_util::future::join_all(sending).await;
    });
    tokio::task::yield_now().await;
    assert!(!publishing.is_finished());
    scene.server.restart();
    let back = Instant::now();
    timeout(PATIENCE, publishing).await.unwrap().unwrap();
    assert!(
        back.elapsed() < Duration::from_secs(3),
        "{:?}",
        back.elapsed()
    );
    assert_eq!(scene.count(Stream::Chunks).await, 200);
}

#[tokio::test]
async fn a_missing_stream_stalls_and_its_return_lets_go() {
    let scene = Scene::empty(&NatsOptions::default()).await;
    let publisher = scene.publisher().await;
    let stalls = publisher.stalls();
    let connection = scene.connection.clone();
    let publishing = tokio::spawn(async move { publish(&publisher, &connection, &chunk(0)).await });
    eventually(async || stalls.borrow().get("CRISPY_CHUNKS") == Some(&Stall::NoStream)).await;
    scene.set_up().await;
    timeout(PATIENCE, publishing).await.unwrap().unwrap();
    assert_eq!(scene.count(Stream::Chunks).await, 1);
}

#[tokio::test]
async fn what_can_never_be_stored_is_an_error_and_not_a_wait() {
    let scene = Scene::new().await;
    let publisher = scene.publisher().await;
    let subject = scene.connection.subjects().chunks(&camera());
    let mut large = chunk(0);
    large.content_type = "x".repeat(70_000);
    let refused = publisher.publish(subject.clone(), "1", &large).await;
    assert!(
        matches!(refused, Err(PublishError::Refused { .. })),
        "{refused:?}"
    );
    let illegal = publisher.publish(subject, "1\r\nX: y", &chunk(0)).await;
    assert!(
        matches!(illegal, Err(PublishError::IllegalHeader { .. })),
        "{illegal:?}"
    );
}

/// Somebody in the stream's place, who answers when the test says so.
async fn stand_in(scene: &Scene) -> async_nats::Subscriber {
    let client = scene.connection.jetstream().client();
    let subscriber = client.subscribe("crispy.chunks.>").await.unwrap();
    client.flush().await.unwrap();
    subscriber
}

async fn heard(stand_in: &mut async_nats::Subscriber) -> async_nats::Message {
    let next = timeout(PATIENCE, stand_in.next()).await;
    next.expect("a publish").unwrap()
}

async fn answer(scene: &Scene, message: async_nats::Message, text: &'static str) {
    let client = scene.connection.jetstream().client();
    let reply = message.reply.unwrap();
    client.publish(reply, text.into()).await.unwrap();
}

const STORED: &str = r#"{"stream":"CRISPY_CHUNKS","seq":1}"#;

#[tokio::test]
async fn no_more_than_64_publishes_wait_for_their_answers_at_once() {
    let scene = Scene::empty(&NatsOptions::default()).await;
    let mut stand_in = stand_in(&scene).await;
    let (publisher, connection) = (scene.publisher().await, scene.connection.clone());
    let publishing = tokio::spawn(async move {
        let chunks: Vec<_> = (0..200).map(chunk).collect();
        let sending = chunks
            .iter()
            .map(|chunk| publish(&publisher, &connection, chunk));
        futures_util::future::join_all(sending).await;
    });
    let mut waiting = Vec::new();
    for _ in 0..64 {
        waiting.push(heard(&mut stand_in).await);
    }
    let more = timeout(Duration::from_millis(300), stand_in.next()).await;
    assert!(more.is_err(), "the window is full");
    for _ in 0..136 {
        answer(&scene, waiting.remove(0), STORED).await;
        waiting.push(heard(&mut stand_in).await);
    }
    assert!(!publishing.is_finished(), "every answer is awaited");
    for message in waiting {
        answer(&scene, message, STORED).await;
    }
    timeout(PATIENCE, publishing).await.unwrap().unwrap();
}

#[tokio::test]
async fn whatever_passes_is_tried_again_under_the_same_id() {
    let scene = Scene::empty(&NatsOptions::default()).await;
    let mut stand_in = stand_in(&scene).await;
    let (publisher, connection) = (scene.publisher().await, scene.connection.clone());
    let publishing = tokio::spawn(async move { publish(&publisher, &connection, &chunk(0)).await });
    let id = message_id::ready(&chunk(0));
    let refusals = [
        // No answer at all.
        None,
        Some(r#"{"error":{"code":400,"err_code":10158,"description":"same id in flight"}}"#),
        Some(r#"{"error":{"code":429,"err_code":10167,"description":"too many requests"}}"#),
        Some(r#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}"#),
        Some(STORED),
    ];
    for refusal in refusals {
        let message = heard(&mut stand_in).await;
        let headers = message.headers.as_ref().unwrap();
        assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), id);
        assert!(!publishing.is_finished());
        if let Some(text) = refusal {
            answer(&scene, message, text).await;
        }
    }
    timeout(PATIENCE, publishing).await.unwrap().unwrap();
}
