//! The state of the queue.

use crispy_fault::Fault;
use crispy_queue::{Overview, Stage, Stream, message_id};
use crispy_proto::v1::ChunkUploaded;
use crispy_testbed::NatsOptions;

use crate::fixture::{Fixture, camera, chunk, quick_config};

async fn read(fixture: &Fixture) -> Overview {
    Overview::read(&fixture.connection).await.unwrap()
}

#[tokio::test]
async fn missing_streams_are_part_of_the_overview() {
    let fixture = Fixture::empty(&NatsOptions::default()).await;
    let overview = read(&fixture).await;
    assert_eq!(overview.streams.len(), Stream::ALL.len());
    assert!(overview.streams.iter().all(|state| state.usage.is_none()));
    assert!(overview.consumers.iter().all(|state| state.work.is_none()));
    assert!(overview.dead.is_empty() && overview.cameras.is_empty());
}

#[tokio::test]
async fn work_dead_letters_and_last_uploads_are_counted() {
    let fixture = Fixture::new().await;
    fixture.publish(0..3).await;
    let publisher = fixture.publisher().await;
    for sequence in 0..2 {
        let event = ChunkUploaded::default();
        let id = message_id::uploaded(&message_id::ready(&chunk(sequence)));
        let subject = fixture.connection.subjects().uploaded(&camera());
        publisher.publish(subject, &id, &event).await.unwrap();
    }
    let before = read(&fixture).await;
    let chunks = before.streams[0].usage.clone().unwrap();
    assert_eq!(before.streams[0].name, "CRISPY_CHUNKS");
    assert!(chunks.messages == 3 && chunks.bytes > 0 && chunks.oldest.is_some());
    assert_eq!(before.streams[2].usage.as_ref().unwrap().oldest, None);
    let work = before.consumers[0].work.clone().unwrap();
    assert_eq!(
        (work.pending, work.in_flight, work.waiting_pulls),
        (3, 0, 0)
    );
    assert_eq!(work.in_flight_limit, 100_000);
    assert_eq!(Vec::from_iter(before.cameras.keys()), [&camera()]);

    let reject = async |_, _| Err(Fault::rejected("no such thing"));
    let worker = fixture.worker(quick_config(), reject).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    let after = read(&fixture).await;
    assert_eq!(Vec::from_iter(&after.dead), [(&Stage::Uploader, &3)]);
    assert!(after.consumers[0].work.as_ref().unwrap().waiting_pulls > 0);
    worker.stop().await;
}
