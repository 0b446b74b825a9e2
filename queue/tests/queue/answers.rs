//! What an ingestor hears of its chunks.

use crispy_proto::v1::{ChunkReady, ChunkUploaded, DeadLetter};
use crispy_queue::{Answer, Answers, Connection, Notice, Stage, message_id};
use tokio::time::timeout;

use crate::scene::{PATIENCE, Scene, camera, chunk, eventually};

async fn open(connection: &Connection) -> Answers {
    Answers::open(connection, "s1", &camera().site)
        .await
        .unwrap()
}

async fn next(answers: &mut Answers) -> Answer {
    timeout(PATIENCE, answers.next())
        .await
        .expect("an answer")
        .unwrap()
}

async fn upload(scene: &Scene, site: &str, chunk: ChunkReady) {
    let id = message_id::uploaded(&message_id::ready(&chunk));
    let camera = format!("{site}/front").parse().unwrap();
    let event = ChunkUploaded {
        chunk: Some(chunk),
        ..ChunkUploaded::default()
    };
    let subject = scene.connection.subjects().uploaded(&camera);
    let publisher = scene.publisher().await;
    publisher
        .publish(subject, &format!("{site}{id}"), &event)
        .await
        .unwrap();
}

/// Requests for answers that wait at the durable.
async fn waiting_pulls(scene: &Scene) -> usize {
    let jetstream = scene.connection.jetstream();
    let stream = jetstream.get_stream("CRISPY_UPLOADED").await.unwrap();
    stream.consumer_info("spool-s1").await.unwrap().num_waiting
}

fn sequence(answer: &Answer) -> u64 {
    match &answer.notice {
        Notice::Uploaded(event) => event.chunk.as_ref().unwrap().id.as_ref().unwrap().sequence,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn answers_come_until_they_are_acknowledged_also_those_sent_meanwhile() {
    let scene = Scene::new().await;
    let earlier = scene.connect().await;
    let mut answers = open(&earlier).await;
    assert_eq!(answers.pending().await.unwrap(), 0);
    upload(&scene, "demo", chunk(0)).await;
    upload(&scene, "other", chunk(7)).await;
    let first = next(&mut answers).await;
    assert_eq!(sequence(&first), 0);
    first.ack().await;
    drop(answers);
    earlier.close().await;
    // While the old request waits the server may serve it, and deliver again only when the lease of 30 s is over.
    eventually(async || waiting_pulls(&scene).await == 0).await;
    upload(&scene, "demo", chunk(1)).await;
    let mut answers = open(&scene.connection).await;
    // The server counts an acknowledgement some time after it has heard it.
    eventually(async || answers.pending().await.unwrap() == 1).await;
    let second = next(&mut answers).await;
    assert_eq!(sequence(&second), 1);
    assert_eq!(answers.pending().await.unwrap(), 1, "held is pending too");
    second.ack().await;
    eventually(async || answers.pending().await.unwrap() == 0).await;
}

#[tokio::test]
async fn given_up_work_is_heard_of_too() {
    let scene = Scene::new().await;
    let mut answers = open(&scene.connection).await;
    let letter = DeadLetter {
        message_id: "what was given up".into(),
        ..DeadLetter::default()
    };
    let subject = scene.connection.subjects().dead(Stage::Uploader, &camera());
    let publisher = scene.publisher().await;
    publisher.publish(subject, "1", &letter).await.unwrap();
    assert_eq!(next(&mut answers).await.notice, Notice::Dead(letter));
}

#[tokio::test]
async fn answers_go_on_after_a_killed_server() {
    let mut scene = Scene::new().await;
    let mut answers = open(&scene.connection).await;
    upload(&scene, "demo", chunk(0)).await;
    next(&mut answers).await.ack().await;
    // The acknowledgement is not confirmed: a server that is killed first has never heard it.
    eventually(async || answers.pending().await.unwrap() == 0).await;
    scene.server.restart();
    upload(&scene, "demo", chunk(1)).await;
    assert_eq!(sequence(&next(&mut answers).await), 1);
}

#[tokio::test]
async fn durables_that_vanish_are_made_again() {
    let mut scene = Scene::new().await;
    let mut answers = open(&scene.connection).await;
    scene.server.wipe();
    scene.server.restart();
    let state = scene.connection.state();
    eventually(async || state.borrow().connected).await;
    scene.set_up().await;
    upload(&scene, "demo", chunk(4)).await;
    let heard = async {
        loop {
            if let Ok(answer) = answers.next().await {
                return sequence(&answer);
            }
        }
    };
    assert_eq!(timeout(PATIENCE, heard).await.unwrap(), 4);
}

#[tokio::test]
async fn an_id_that_cannot_name_a_durable_is_refused() {
    let scene = Scene::new().await;
    for id in ["", "a.b", "a b", "*", &"x".repeat(65)] {
        let opened = Answers::open(&scene.connection, id, &camera().site).await;
        assert!(opened.is_err(), "{id:?}");
    }
}
