//! Reading a stream without consuming it.

use crispy_fault::Kind;
use crispy_proto::v1::{ChunkReady, ChunkUploaded, SpoolRecord};
use crispy_queue::{Reader, Spools, StartAt, Stream};
use crispy_testbed::NatsOptions;
use tokio::time::timeout;

use crate::fixture::{Fixture, TIMEOUT, chunk, publish};

async fn sequences(reader: &mut Reader, count: usize) -> Vec<u64> {
    let mut sequences = Vec::new();
    while sequences.len() < count {
        let next = timeout(TIMEOUT, reader.next::<ChunkReady>());
        let received = next.await.expect("a message").unwrap();
        sequences.push(received.message.id.unwrap().sequence);
    }
    sequences
}

async fn open(fixture: &Fixture, start: StartAt) -> Reader {
    Reader::open(&fixture.connection, Stream::Events, start, &[])
        .await
        .unwrap()
}

/// Chunks on the subject of events: a stream that is never emptied.
async fn publish_events(fixture: &Fixture, range: std::ops::Range<u64>) {
    let publisher = fixture.publisher().await;
    let subject = fixture
        .connection
        .subjects()
        .events(&crate::fixture::camera());
    for sequence in range {
        let id = format!("event {sequence}");
        publisher
            .publish(subject.clone(), &id, &chunk(sequence))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn reading_begins_at_the_chosen_message() {
    let fixture = Fixture::new().await;
    publish_events(&fixture, 0..3).await;
    let mut new = open(&fixture, StartAt::New).await;
    let mut all = open(&fixture, StartAt::Oldest).await;
    publish_events(&fixture, 3..5).await;
    assert_eq!(sequences(&mut new, 2).await, [3, 4]);
    assert_eq!(sequences(&mut all, 5).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn messages_are_read_once_in_order_across_a_killed_server() {
    let mut fixture = Fixture::new().await;
    let mut reader = open(&fixture, StartAt::New).await;
    publish_events(&fixture, 0..100).await;
    let mut read = sequences(&mut reader, 50).await;
    fixture.server.restart();
    publish_events(&fixture, 100..200).await;
    read.extend(sequences(&mut reader, 150).await);
    assert!(read.iter().copied().eq(0..200), "{read:?}");
}

#[tokio::test]
async fn a_killed_server_loses_no_message_before_the_first_read() {
    let mut fixture = Fixture::new().await;
    publish_events(&fixture, 0..3).await;
    let mut reader = open(&fixture, StartAt::New).await;
    publish_events(&fixture, 3..6).await;
    fixture.server.restart();
    assert_eq!(sequences(&mut reader, 3).await, [3, 4, 5]);
}

#[tokio::test]
async fn a_stream_made_again_is_read_from_its_start() {
    let mut fixture = Fixture::new().await;
    let mut reader = open(&fixture, StartAt::New).await;
    publish_events(&fixture, 0..3).await;
    assert_eq!(sequences(&mut reader, 3).await, [0, 1, 2]);
    fixture.server.kill9();
    fixture.server.wipe();
    fixture.server.restart();
    fixture.set_up().await;
    publish_events(&fixture, 3..5).await;
    let mut read = Vec::new();
    while read.len() < 2 {
        // Between the server's return and the setup the stream is missing for a while.
        let next = timeout(TIMEOUT, reader.next::<ChunkReady>()).await;
        match next.expect("a message or an error") {
            Ok(received) => read.push(received.message.id.unwrap().sequence),
            Err(fault) if fault.kind() != &Kind::Corrupt => {}
            Err(fault) => panic!("{fault}"),
        }
    }
    assert_eq!(read, [3, 4]);
}

#[tokio::test]
async fn a_malformed_message_does_not_stop_the_next() {
    let fixture = Fixture::new().await;
    let mut reader = open(&fixture, StartAt::Oldest).await;
    publish_events(&fixture, 0..1).await;
    let read = timeout(TIMEOUT, reader.next::<ChunkUploaded>()).await;
    let fault = read.unwrap().unwrap_err();
    assert_eq!(fault.kind(), &Kind::Corrupt);
    assert_eq!(
        fault.to_string(),
        "decode message 1 of stream CRISPY_EVENTS"
    );
    publish_events(&fixture, 1..2).await;
    assert_eq!(sequences(&mut reader, 1).await, [1]);
}

#[tokio::test]
async fn a_filter_passes_only_its_subjects() {
    let fixture = Fixture::new().await;
    let publisher = fixture.publisher().await;
    let filters = ["crispy.events.demo.yard"];
    let mut reader = Reader::open(
        &fixture.connection,
        Stream::Events,
        StartAt::Oldest,
        &filters,
    )
    .await
    .unwrap();
    publish_events(&fixture, 0..3).await;
    let yard = fixture
        .connection
        .subjects()
        .events(&"demo/yard".parse().unwrap());
    publisher.publish(yard, "yard", &chunk(9)).await.unwrap();
    assert_eq!(sequences(&mut reader, 1).await, [9]);
}

#[tokio::test]
async fn a_missing_stream_is_an_error_with_advice() {
    let fixture = Fixture::empty(&NatsOptions::default()).await;
    let opened = Reader::open(&fixture.connection, Stream::Events, StartAt::New, &[]).await;
    let fault = opened.unwrap_err();
    assert!(fault.is_not_found() && fault.hint().unwrap().contains("crispy setup"));
}

#[tokio::test]
async fn a_work_queue_cannot_be_read() {
    let fixture = Fixture::new().await;
    publish(&fixture.publisher().await, &fixture.connection, &chunk(0)).await;
    let opened = Reader::open(&fixture.connection, Stream::Chunks, StartAt::Oldest, &[]).await;
    assert_eq!(opened.unwrap_err().kind(), &Kind::Rejected);
}

#[tokio::test]
async fn a_spool_has_its_owners_last_record() {
    let fixture = Fixture::new().await;
    let spools = Spools::new(&fixture.connection);
    assert_eq!(spools.get("s1").await.unwrap(), None);
    let mut record = SpoolRecord {
        spool_id: "s1".into(),
        addresses: vec!["http://a".into()],
        ..SpoolRecord::default()
    };
    spools.put(&record).await.unwrap();
    record.addresses = vec!["http://b".into()];
    spools.put(&record).await.unwrap();
    assert_eq!(spools.get("s1").await.unwrap(), Some(record));
    assert!(spools.get("s1.>").await.is_err());
}
