//! What an operator does with work that was given up.

use crispy_jetstream::{Delivery, Failure};
use crispy_proto::v1::{ChunkReady, DeadRuling, Producer, dead_ruling::Decision};
use crispy_queue::{
    Answers, Buried, BuriedError, DeadLetters, Notice, Plot, Stage, Stream, message_id,
};
use tokio::time::timeout;

use crate::scene::{PATIENCE, Scene, camera, chunk, publish, quick};

/// A scene in which these chunks were given up.
async fn buried(sequences: std::ops::Range<u64>) -> Scene {
    let scene = Scene::new().await;
    let publisher = scene.publisher().await;
    let count = sequences.end - sequences.start;
    for sequence in sequences {
        publish(&publisher, &scene.connection, &kept(sequence)).await;
    }
    let hand = scene.worker(quick(), reject).await;
    scene.until_count(Stream::Chunks, 0).await;
    hand.stop().await;
    assert_eq!(scene.count(Stream::Dead).await, count);
    scene
}

async fn reject(_: ChunkReady, _: Delivery) -> Result<(), Failure> {
    Err(Failure::reject("no such thing"))
}

fn kept(sequence: u64) -> ChunkReady {
    ChunkReady {
        spool_id: "s1".into(),
        ..chunk(sequence)
    }
}

async fn all(scene: &Scene, plot: &Plot) -> Vec<Buried> {
    let mut found = Vec::new();
    let letters = DeadLetters::new(&scene.connection);
    letters
        .each(plot, |buried| found.push(buried))
        .await
        .unwrap();
    found
}

async fn ruling(answers: &mut Answers) -> DeadRuling {
    loop {
        let answer = timeout(PATIENCE, answers.next()).await.expect("an answer");
        if let Notice::Ruled(ruling) = answer.unwrap().notice {
            return ruling;
        }
    }
}

async fn owner(scene: &Scene) -> Answers {
    Answers::open(&scene.connection, "s1", &camera().site)
        .await
        .unwrap()
}

#[tokio::test]
async fn every_letter_of_a_plot_is_read_oldest_first() {
    let scene = Scene::new().await;
    assert_eq!(all(&scene, &Plot::default()).await, []);
    let scene = buried(3..6).await;
    let found = all(&scene, &Plot::default()).await;
    let places: Vec<_> = found.iter().map(|buried| buried.sequence).collect();
    assert_eq!(places, [1, 2, 3]);
    assert!(found.iter().all(|buried| buried.stage == Stage::Uploader
        && buried.camera == camera()
        && buried.letter.reason == "no such thing"));
    let ours = Plot {
        stage: Some(Stage::Uploader),
        site: Some(camera().site),
        camera: Some(camera().camera),
    };
    assert_eq!(all(&scene, &ours).await.len(), 3);
    let others = Plot {
        stage: Some(Stage::Inspector),
        ..ours.clone()
    };
    assert_eq!(all(&scene, &others).await, []);
    let elsewhere = Plot {
        camera: Some("yard".parse().unwrap()),
        ..ours
    };
    assert_eq!(all(&scene, &elsewhere).await, []);
}

#[tokio::test]
async fn what_is_replayed_is_handled_and_its_owner_knows_where_it_is() {
    let scene = buried(7..8).await;
    let mut answers = owner(&scene).await;
    let letters = DeadLetters::new(&scene.connection);
    let letter = letters.get(1).await.unwrap().unwrap();
    let replayed = letters.replay(&letter, &Producer::default()).await.unwrap();
    assert!(!replayed.duplicate);
    assert_eq!(letters.get(1).await.unwrap(), None);

    let ruling = ruling(&mut answers).await;
    assert_eq!(ruling.chunk, kept(7).id);
    assert_eq!((ruling.spool_id.as_str(), ruling.committed_us), ("s1", 17));
    let Some(Decision::Replayed(told)) = ruling.decision else {
        panic!("{ruling:?}");
    };
    let (sequence, id) = (told.stream_sequence, told.message_id);
    assert_eq!((sequence, &id), (replayed.sequence, &message_id::replay(1)));
    let queued = scene.connection.is_queued(Stream::Chunks, sequence, &id);
    assert!(queued.await.unwrap());

    let mut hand = scene.worker(quick(), async |_, _| Ok(())).await;
    assert_eq!(hand.next().await.0, 7);
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(hand.stop().await.handled, 1);
}

#[tokio::test]
async fn a_replay_that_is_repeated_says_so_and_stores_nothing() {
    let scene = buried(7..8).await;
    let letters = DeadLetters::new(&scene.connection);
    let letter = letters.get(1).await.unwrap().unwrap();
    for duplicate in [false, true] {
        let replayed = letters.replay(&letter, &Producer::default()).await.unwrap();
        assert_eq!(replayed.duplicate, duplicate);
    }
    assert_eq!(scene.count(Stream::Chunks).await, 1);
}

#[tokio::test]
async fn what_is_dropped_is_gone_and_its_owner_is_told() {
    let scene = buried(7..9).await;
    let mut answers = owner(&scene).await;
    let letters = DeadLetters::new(&scene.connection);
    let letter = letters.get(2).await.unwrap().unwrap();
    assert!(letters.drop(&letter, &Producer::default()).await.unwrap());
    assert!(!letters.drop(&letter, &Producer::default()).await.unwrap());
    let ruling = ruling(&mut answers).await;
    assert_eq!(ruling.chunk, letter.kept_chunk().unwrap().id);
    assert!(matches!(ruling.decision, Some(Decision::Dropped(_))));
    assert_eq!(scene.count(Stream::Chunks).await, 0);
    let left = all(&scene, &Plot::default()).await;
    assert_eq!(left.len(), 1, "a ruling is no letter");
    let not_a_letter = letters.get(3).await;
    assert!(matches!(
        not_a_letter,
        Err(BuriedError::NotALetter { sequence: 3 })
    ));
}
