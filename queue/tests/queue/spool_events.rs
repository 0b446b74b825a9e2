//! Spool events.

use crispy_proto::v1::{ChunkReady, ChunkUploaded, DeadLetter};
use crispy_queue::{Connection, SpoolEvent, SpoolEventKind, SpoolEvents, Stage, message_id};
use tokio::time::timeout;

use crate::fixture::{Fixture, TIMEOUT, camera, chunk, eventually};

async fn open(connection: &Connection) -> SpoolEvents {
    SpoolEvents::open(connection, "s1", &camera().site)
        .await
        .unwrap()
}

async fn next(events: &mut SpoolEvents) -> SpoolEvent {
    timeout(TIMEOUT, events.next())
        .await
        .expect("an event")
        .unwrap()
}

async fn upload(fixture: &Fixture, site: &str, chunk: ChunkReady) {
    let id = message_id::uploaded(&message_id::ready(&chunk));
    let camera = format!("{site}/front").parse().unwrap();
    let event = ChunkUploaded {
        chunk: Some(chunk),
        ..ChunkUploaded::default()
    };
    let subject = fixture.connection.subjects().uploaded(&camera);
    let publisher = fixture.publisher().await;
    publisher
        .publish(subject, &format!("{site}{id}"), &event)
        .await
        .unwrap();
}

/// Open pull requests of the consumer.
async fn waiting_pulls(fixture: &Fixture) -> usize {
    let jetstream = fixture.connection.jetstream();
    let stream = jetstream.get_stream("CRISPY_UPLOADED").await.unwrap();
    stream.consumer_info("spool-s1").await.unwrap().num_waiting
}

fn sequence(event: &SpoolEvent) -> u64 {
    match &event.kind {
        SpoolEventKind::Uploaded(upload) => {
            upload.chunk.as_ref().unwrap().id.as_ref().unwrap().sequence
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn events_are_delivered_until_they_are_acknowledged() {
    let fixture = Fixture::new().await;
    let earlier = fixture.connect().await;
    let mut events = open(&earlier).await;
    assert_eq!(events.pending().await.unwrap(), 0);
    upload(&fixture, "demo", chunk(0)).await;
    upload(&fixture, "other", chunk(7)).await;
    let first = next(&mut events).await;
    assert_eq!(sequence(&first), 0);
    first.ack().await;
    drop(events);
    earlier.close().await;
    // The server may answer an old pull request, and deliver again only after the lease of 30 s.
    eventually(async || waiting_pulls(&fixture).await == 0).await;
    upload(&fixture, "demo", chunk(1)).await;
    let mut events = open(&fixture.connection).await;
    // The server counts an acknowledgement some time after receiving it.
    eventually(async || events.pending().await.unwrap() == 1).await;
    let second = next(&mut events).await;
    assert_eq!(sequence(&second), 1);
    assert_eq!(
        events.pending().await.unwrap(),
        1,
        "a message in flight is pending too"
    );
    second.ack().await;
    eventually(async || events.pending().await.unwrap() == 0).await;
}

#[tokio::test]
async fn dead_letters_are_delivered() {
    let fixture = Fixture::new().await;
    let mut events = open(&fixture.connection).await;
    let letter = DeadLetter {
        message_id: "original".into(),
        ..DeadLetter::default()
    };
    let subject = fixture
        .connection
        .subjects()
        .dead(Stage::Uploader, &camera());
    let publisher = fixture.publisher().await;
    publisher.publish(subject, "1", &letter).await.unwrap();
    assert_eq!(
        next(&mut events).await.kind,
        SpoolEventKind::DeadLetter(letter)
    );
}

#[tokio::test]
async fn events_continue_after_a_killed_server() {
    let mut fixture = Fixture::new().await;
    let mut events = open(&fixture.connection).await;
    upload(&fixture, "demo", chunk(0)).await;
    next(&mut events).await.ack().await;
    // The acknowledgement is not confirmed: a killed server may not have received it.
    eventually(async || events.pending().await.unwrap() == 0).await;
    fixture.server.restart();
    upload(&fixture, "demo", chunk(1)).await;
    assert_eq!(sequence(&next(&mut events).await), 1);
}

#[tokio::test]
async fn vanished_consumers_are_made_again() {
    let mut fixture = Fixture::new().await;
    let mut events = open(&fixture.connection).await;
    fixture.server.wipe();
    fixture.server.restart();
    let state = fixture.connection.state();
    eventually(async || state.borrow().connected).await;
    fixture.set_up().await;
    upload(&fixture, "demo", chunk(4)).await;
    let received = async {
        loop {
            if let Ok(event) = events.next().await {
                return sequence(&event);
            }
        }
    };
    assert_eq!(timeout(TIMEOUT, received).await.unwrap(), 4);
}

#[tokio::test]
async fn ids_that_cannot_name_a_consumer_are_refused() {
    let fixture = Fixture::new().await;
    for id in ["", "a.b", "a b", "*", &"x".repeat(65)] {
        let opened = SpoolEvents::open(&fixture.connection, id, &camera().site).await;
        assert!(opened.is_err(), "{id:?}");
    }
}
