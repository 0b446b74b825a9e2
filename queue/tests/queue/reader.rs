//! Reading along.

use crispy_proto::v1::{ChunkReady, ChunkUploaded, SpoolRecord};
use crispy_queue::{From, Reader, ReaderError, Spools, Stream};
use crispy_testbed::NatsOptions;
use tokio::time::timeout;

use crate::scene::{PATIENCE, Scene, chunk, publish};

async fn sequences(reader: &mut Reader, count: usize) -> Vec<u64> {
    let mut sequences = Vec::new();
    while sequences.len() < count {
        let next = timeout(PATIENCE, reader.next::<ChunkReady>());
        let received = next.await.expect("a message").unwrap();
        sequences.push(received.message.id.unwrap().sequence);
    }
    sequences
}

async fn open(scene: &Scene, from: From) -> Reader {
    Reader::open(&scene.connection, Stream::Events, from, &[])
        .await
        .unwrap()
}

/// Chunks on the events' subject: a stream that nobody empties.
async fn publish_events(scene: &Scene, range: std::ops::Range<u64>) {
    let publisher = scene.publisher().await;
    let subject = scene.connection.subjects().events(&crate::scene::camera());
    for sequence in range {
        let id = format!("event {sequence}");
        publisher
            .publish(subject.clone(), &id, &chunk(sequence))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn reading_begins_where_it_is_told_to() {
    let scene = Scene::new().await;
    publish_events(&scene, 0..3).await;
    let mut new = open(&scene, From::New).await;
    let mut all = open(&scene, From::Start).await;
    publish_events(&scene, 3..5).await;
    assert_eq!(sequences(&mut new, 2).await, [3, 4]);
    assert_eq!(sequences(&mut all, 5).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn every_message_is_read_once_and_in_order_across_a_killed_server() {
    let mut scene = Scene::new().await;
    let mut reader = open(&scene, From::New).await;
    publish_events(&scene, 0..100).await;
    let mut read = sequences(&mut reader, 50).await;
    scene.server.restart();
    publish_events(&scene, 100..200).await;
    read.extend(sequences(&mut reader, 150).await);
    assert!(read.iter().copied().eq(0..200), "{read:?}");
}

#[tokio::test]
async fn what_is_published_before_anything_was_read_is_not_lost_with_the_server() {
    let mut scene = Scene::new().await;
    publish_events(&scene, 0..3).await;
    let mut reader = open(&scene, From::New).await;
    publish_events(&scene, 3..6).await;
    scene.server.restart();
    assert_eq!(sequences(&mut reader, 3).await, [3, 4, 5]);
}

#[tokio::test]
async fn a_stream_that_was_made_again_is_read_from_its_start() {
    let mut scene = Scene::new().await;
    let mut reader = open(&scene, From::New).await;
    publish_events(&scene, 0..3).await;
    assert_eq!(sequences(&mut reader, 3).await, [0, 1, 2]);
    scene.server.kill9();
    scene.server.wipe();
    scene.server.restart();
    scene.set_up().await;
    publish_events(&scene, 3..5).await;
    let mut read = Vec::new();
    while read.len() < 2 {
        // Between the server's return and the set-up the stream is missing: that passes.
        let next = timeout(PATIENCE, reader.next::<ChunkReady>()).await;
        match next.expect("a message, or a reason") {
            Ok(received) => read.push(received.message.id.unwrap().sequence),
            Err(ReaderError::MissingStream { .. } | ReaderError::Consumer { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(read, [3, 4]);
}

#[tokio::test]
async fn a_message_that_cannot_be_read_does_not_stop_the_next() {
    let scene = Scene::new().await;
    let mut reader = open(&scene, From::Start).await;
    publish_events(&scene, 0..1).await;
    let read = timeout(PATIENCE, reader.next::<ChunkUploaded>()).await;
    assert!(matches!(
        read.unwrap(),
        Err(ReaderError::Malformed { sequence: 1, .. })
    ));
    publish_events(&scene, 1..2).await;
    assert_eq!(sequences(&mut reader, 1).await, [1]);
}

#[tokio::test]
async fn a_filter_lets_only_its_subjects_through() {
    let scene = Scene::new().await;
    let publisher = scene.publisher().await;
    let filters = ["crispy.events.demo.yard"];
    let mut reader = Reader::open(&scene.connection, Stream::Events, From::Start, &filters)
        .await
        .unwrap();
    publish_events(&scene, 0..3).await;
    let yard = scene
        .connection
        .subjects()
        .events(&"demo/yard".parse().unwrap());
    publisher.publish(yard, "yard", &chunk(9)).await.unwrap();
    assert_eq!(sequences(&mut reader, 1).await, [9]);
}

#[tokio::test]
async fn a_missing_stream_is_named_together_with_its_cure() {
    let scene = Scene::empty(&NatsOptions::default()).await;
    let opened = Reader::open(&scene.connection, Stream::Events, From::New, &[]).await;
    assert!(opened.unwrap_err().to_string().contains("crispy setup"));
}

#[tokio::test]
async fn a_work_queue_is_not_read_along() {
    let scene = Scene::new().await;
    publish(&scene.publisher().await, &scene.connection, &chunk(0)).await;
    let opened = Reader::open(&scene.connection, Stream::Chunks, From::Start, &[]).await;
    assert!(matches!(opened, Err(ReaderError::Consumer { .. })));
}

#[tokio::test]
async fn a_spools_record_is_what_its_owner_wrote_last() {
    let scene = Scene::new().await;
    let spools = Spools::new(&scene.connection);
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
