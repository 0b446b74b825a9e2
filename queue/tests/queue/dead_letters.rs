//! Dead letters: list, replay, drop.

use crispy_fault::{Fault, Kind};
use crispy_jetstream::Delivery;
use crispy_proto::v1::{ChunkReady, DeadLetterDecision, Producer, dead_letter_decision::Decision};
use crispy_queue::{
    DeadLetterFilter, DeadLetters, SpoolEventKind, SpoolEvents, Stage, StoredDeadLetter, Stream,
    message_id,
};
use tokio::time::timeout;

use crate::fixture::{Fixture, TIMEOUT, camera, chunk, publish, quick_config};

/// A fixture with dead letters about these chunks.
async fn rejected(sequences: std::ops::Range<u64>) -> Fixture {
    let fixture = Fixture::new().await;
    let publisher = fixture.publisher().await;
    let count = sequences.end - sequences.start;
    for sequence in sequences {
        publish(&publisher, &fixture.connection, &kept(sequence)).await;
    }
    let worker = fixture.worker(quick_config(), reject).await;
    fixture.wait_for_count(Stream::Chunks, 0).await;
    worker.stop().await;
    assert_eq!(fixture.count(Stream::Dead).await, count);
    fixture
}

async fn reject(_: ChunkReady, _: Delivery) -> Result<(), Fault> {
    Err(Fault::rejected("no such thing"))
}

fn kept(sequence: u64) -> ChunkReady {
    ChunkReady {
        spool_id: "s1".into(),
        ..chunk(sequence)
    }
}

async fn all(fixture: &Fixture, filter: &DeadLetterFilter) -> Vec<StoredDeadLetter> {
    let mut found = Vec::new();
    let letters = DeadLetters::new(&fixture.connection);
    letters
        .each(filter, |stored| found.push(stored))
        .await
        .unwrap();
    found
}

async fn decision(events: &mut SpoolEvents) -> DeadLetterDecision {
    loop {
        let event = timeout(TIMEOUT, events.next()).await.expect("an event");
        if let SpoolEventKind::Decision(decision) = event.unwrap().kind {
            return decision;
        }
    }
}

async fn owner(fixture: &Fixture) -> SpoolEvents {
    SpoolEvents::open(&fixture.connection, "s1", &camera().site)
        .await
        .unwrap()
}

#[tokio::test]
async fn every_dead_letter_of_a_filter_is_read_oldest_first() {
    let fixture = Fixture::new().await;
    assert_eq!(all(&fixture, &DeadLetterFilter::default()).await, []);
    let fixture = rejected(3..6).await;
    let found = all(&fixture, &DeadLetterFilter::default()).await;
    let sequences: Vec<_> = found.iter().map(|stored| stored.sequence).collect();
    assert_eq!(sequences, [1, 2, 3]);
    assert!(found.iter().all(|stored| stored.stage == Stage::Uploader
        && stored.camera == camera()
        && stored.letter.reason == "no such thing"));
    let ours = DeadLetterFilter {
        stage: Some(Stage::Uploader),
        site: Some(camera().site),
        camera: Some(camera().camera),
    };
    assert_eq!(all(&fixture, &ours).await.len(), 3);
    let others = DeadLetterFilter {
        stage: Some(Stage::Inspector),
        ..ours.clone()
    };
    assert_eq!(all(&fixture, &others).await, []);
    let elsewhere = DeadLetterFilter {
        camera: Some("yard".parse().unwrap()),
        ..ours
    };
    assert_eq!(all(&fixture, &elsewhere).await, []);
}

#[tokio::test]
async fn replayed_work_is_handled_and_its_owner_is_informed() {
    let fixture = rejected(7..8).await;
    let mut events = owner(&fixture).await;
    let letters = DeadLetters::new(&fixture.connection);
    let letter = letters.get(1).await.unwrap().unwrap();
    let replayed = letters.replay(&letter, &Producer::default()).await.unwrap();
    assert!(!replayed.duplicate);
    assert_eq!(letters.get(1).await.unwrap(), None);

    let decision = decision(&mut events).await;
    assert_eq!(decision.chunk, kept(7).id);
    assert_eq!(
        (decision.spool_id.as_str(), decision.committed_us),
        ("s1", 17)
    );
    let Some(Decision::Replayed(replay)) = decision.decision else {
        panic!("{decision:?}");
    };
    let (sequence, id) = (replay.stream_sequence, replay.message_id);
    assert_eq!((sequence, &id), (replayed.sequence, &message_id::replay(1)));
    let queued = fixture.connection.is_queued(Stream::Chunks, sequence, &id);
    assert!(queued.await.unwrap());

    let mut worker = fixture.worker(quick_config(), async |_, _| Ok(())).await;
    assert_eq!(worker.next().await.0, 7);
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(worker.stop().await.handled, 1);
}

#[tokio::test]
async fn a_repeated_replay_stores_nothing_and_says_so() {
    let fixture = rejected(7..8).await;
    let letters = DeadLetters::new(&fixture.connection);
    let letter = letters.get(1).await.unwrap().unwrap();
    for duplicate in [false, true] {
        let replayed = letters.replay(&letter, &Producer::default()).await.unwrap();
        assert_eq!(replayed.duplicate, duplicate);
    }
    assert_eq!(fixture.count(Stream::Chunks).await, 1);
}

#[tokio::test]
async fn dropped_work_is_gone_and_its_owner_is_informed() {
    let fixture = rejected(7..9).await;
    let mut events = owner(&fixture).await;
    let letters = DeadLetters::new(&fixture.connection);
    let letter = letters.get(2).await.unwrap().unwrap();
    assert!(letters.drop(&letter, &Producer::default()).await.unwrap());
    assert!(!letters.drop(&letter, &Producer::default()).await.unwrap());
    let decision = decision(&mut events).await;
    assert_eq!(decision.chunk, letter.kept_chunk().unwrap().id);
    assert!(matches!(decision.decision, Some(Decision::Dropped(_))));
    assert_eq!(fixture.count(Stream::Chunks).await, 0);
    let left = all(&fixture, &DeadLetterFilter::default()).await;
    assert_eq!(left.len(), 1, "a decision is not a dead letter");
    let not_a_dead_letter = letters.get(3).await.unwrap_err();
    assert_eq!(not_a_dead_letter.kind(), &Kind::Corrupt);
}
