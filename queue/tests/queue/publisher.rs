//! Publishing.

use std::time::{Duration, Instant};

use async_nats::jetstream::stream;
use crispy_jetstream::{PublishError, Stall};
use crispy_queue::{Stream, message_id};
use crispy_testbed::NatsOptions;
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::fixture::{Fixture, TIMEOUT, camera, chunk, eventually, publish};

#[tokio::test]
async fn a_second_publish_under_the_same_id_stores_nothing() {
    let fixture = Fixture::new().await;
    let publisher = fixture.publisher().await;
    let subject = fixture.connection.subjects().chunks(&camera());
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
    assert_eq!(fixture.count(Stream::Chunks).await, 2);
}

#[tokio::test]
async fn a_message_is_queued_while_its_stream_holds_it() {
    let mut fixture = Fixture::new().await;
    let publisher = fixture.publisher().await;
    publish(&publisher, &fixture.connection, &chunk(0)).await;
    let id = message_id::ready(&chunk(0));
    let is_queued = async |fixture: &Fixture, id: &str| {
        fixture.connection.is_queued(Stream::Chunks, 1, id).await
    };
    assert!(is_queued(&fixture, &id).await.unwrap());
    assert!(!is_queued(&fixture, "another").await.unwrap());
    let created = fixture
        .connection
        .stream_created(Stream::Chunks)
        .await
        .unwrap();

    fixture.server.wipe();
    fixture.server.restart();
    let state = fixture.connection.state();
    eventually(async || state.borrow().connected).await;
    assert!(!is_queued(&fixture, &id).await.unwrap(), "missing stream");
    fixture.set_up().await;
    assert!(!is_queued(&fixture, &id).await.unwrap(), "empty stream");
    publish(&publisher, &fixture.connection, &chunk(5)).await;
    assert!(!is_queued(&fixture, &id).await.unwrap(), "another message");
    let again = fixture
        .connection
        .stream_created(Stream::Chunks)
        .await
        .unwrap();
    assert_ne!(created, again);
}

#[tokio::test]
async fn a_full_stream_stalls_its_publishers_until_there_is_room() {
    let fixture = Fixture::new().await;
    let name = Stream::Chunks.name(fixture.connection.prefix());
    let stream = fixture
        .connection
        .jetstream()
        .get_stream(name)
        .await
        .unwrap();
    let small = stream::Config {
        max_bytes: 4096,
        ..stream.cached_info().config.clone()
    };
    let jetstream = fixture.connection.jetstream();
    jetstream.update_stream(&small).await.unwrap();
    let publisher = fixture.publisher().await;
    let stalls = publisher.stalls();
    let (filler, connection) = (publisher.clone(), fixture.connection.clone());
    let filling = tokio::spawn(async move {
        for sequence in 0..100 {
            publish(&filler, &connection, &chunk(sequence)).await;
        }
    });
    eventually(async || stalls.borrow().get("CRISPY_CHUNKS") == Some(&Stall::Full)).await;
    let stored = fixture.count(Stream::Chunks).await;
    assert!((1..100).contains(&stored), "{stored}");

    let roomy = stream::Config {
        max_bytes: 1 << 20,
        ..small
    };
    jetstream.update_stream(&roomy).await.unwrap();
    timeout(TIMEOUT, filling).await.unwrap().unwrap();
    assert_eq!(fixture.count(Stream::Chunks).await, 100);
    assert!(stalls.borrow().is_empty());
}

#[tokio::test]
async fn an_outage_is_waited_out_and_nothing_is_stored_twice() {
    let mut fixture = Fixture::new().await;
    let publisher = fixture.publisher().await;
    publish(&publisher, &fixture.connection, &chunk(0)).await;
    fixture.server.kill9();
    let connection = fixture.connection.clone();
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
    fixture.server.restart();
    let back = Instant::now();
    timeout(TIMEOUT, publishing).await.unwrap().unwrap();
    assert!(
        back.elapsed() < Duration::from_secs(3),
        "{:?}",
        back.elapsed()
    );
    assert_eq!(fixture.count(Stream::Chunks).await, 200);
}

#[tokio::test]
async fn a_missing_stream_stalls_publishing_until_its_return() {
    let fixture = Fixture::empty(&NatsOptions::default()).await;
    let publisher = fixture.publisher().await;
    let stalls = publisher.stalls();
    let connection = fixture.connection.clone();
    let publishing = tokio::spawn(async move { publish(&publisher, &connection, &chunk(0)).await });
    eventually(async || stalls.borrow().get("CRISPY_CHUNKS") == Some(&Stall::NoStream)).await;
    fixture.set_up().await;
    timeout(TIMEOUT, publishing).await.unwrap().unwrap();
    assert_eq!(fixture.count(Stream::Chunks).await, 1);
}

#[tokio::test]
async fn a_publish_that_can_never_succeed_is_an_error() {
    let fixture = Fixture::new().await;
    let publisher = fixture.publisher().await;
    let subject = fixture.connection.subjects().chunks(&camera());
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

/// A subscriber in the stream's place. The test answers for it.
async fn stand_in(fixture: &Fixture) -> async_nats::Subscriber {
    let client = fixture.connection.jetstream().client();
    let subscriber = client.subscribe("crispy.chunks.>").await.unwrap();
    client.flush().await.unwrap();
    subscriber
}

async fn next_publish(stand_in: &mut async_nats::Subscriber) -> async_nats::Message {
    let next = timeout(TIMEOUT, stand_in.next()).await;
    next.expect("a publish").unwrap()
}

async fn answer(fixture: &Fixture, message: async_nats::Message, text: &'static str) {
    let client = fixture.connection.jetstream().client();
    let reply = message.reply.unwrap();
    client.publish(reply, text.into()).await.unwrap();
}

const STORED: &str = r#"{"stream":"CRISPY_CHUNKS","seq":1}"#;

#[tokio::test]
async fn at_most_64_publishes_are_in_flight() {
    let fixture = Fixture::empty(&NatsOptions::default()).await;
    let mut stand_in = stand_in(&fixture).await;
    let (publisher, connection) = (fixture.publisher().await, fixture.connection.clone());
    let publishing = tokio::spawn(async move {
        let chunks: Vec<_> = (0..200).map(chunk).collect();
        let sending = chunks
            .iter()
            .map(|chunk| publish(&publisher, &connection, chunk));
        futures_util::future::join_all(sending).await;
    });
    let mut waiting = Vec::new();
    for _ in 0..64 {
        waiting.push(next_publish(&mut stand_in).await);
    }
    let more = timeout(Duration::from_millis(300), stand_in.next()).await;
    assert!(more.is_err(), "the window is full");
    for _ in 0..136 {
        answer(&fixture, waiting.remove(0), STORED).await;
        waiting.push(next_publish(&mut stand_in).await);
    }
    assert!(
        !publishing.is_finished(),
        "all acknowledgements are awaited"
    );
    for message in waiting {
        answer(&fixture, message, STORED).await;
    }
    timeout(TIMEOUT, publishing).await.unwrap().unwrap();
}

#[tokio::test]
async fn passing_errors_are_retried_under_the_same_id() {
    let fixture = Fixture::empty(&NatsOptions::default()).await;
    let mut stand_in = stand_in(&fixture).await;
    let (publisher, connection) = (fixture.publisher().await, fixture.connection.clone());
    let publishing = tokio::spawn(async move { publish(&publisher, &connection, &chunk(0)).await });
    let id = message_id::ready(&chunk(0));
    let refusals = [
        // No answer.
        None,
        Some(r#"{"error":{"code":400,"err_code":10158,"description":"same id in flight"}}"#),
        Some(r#"{"error":{"code":429,"err_code":10167,"description":"too many requests"}}"#),
        Some(r#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}"#),
        Some(STORED),
    ];
    for refusal in refusals {
        let message = next_publish(&mut stand_in).await;
        let headers = message.headers.as_ref().unwrap();
        assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), id);
        assert!(!publishing.is_finished());
        if let Some(text) = refusal {
            answer(&fixture, message, text).await;
        }
    }
    timeout(TIMEOUT, publishing).await.unwrap().unwrap();
}
