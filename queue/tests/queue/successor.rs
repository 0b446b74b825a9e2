//! A stream that is deleted, or lost with its server's disk, and made again: what was taken from the old one says nothing to the new one.

use crispy_jetstream::ConnectOptions;
use crispy_queue::{Stream, WorkerConfig, message_id};
use crispy_testbed::{FaultProxy, Traffic};

use crate::scene::{Hand, Scene, chunk, eventually, gated, quick};

fn one_hand() -> WorkerConfig {
    WorkerConfig {
        concurrency: 1,
        ..quick()
    }
}

/// One worker is at message 1 of the old stream, another at message 1 of the new one, when the first is done.
async fn a_late_ack_settles_nothing(mut scene: Scene, lose: impl AsyncFn(&mut Scene)) {
    let (mut late, late_gate) = scene.gated(one_hand()).await;
    scene.publish(0..1).await;
    assert_eq!(late.next().await.0, 0);
    lose(&mut scene).await;
    scene.set_up().await;
    let (mut other, other_gate) = scene.gated(one_hand()).await;
    scene.publish(5..6).await;
    assert_eq!(other.next().await.0, 5);

    late_gate.add_permits(1);
    what_the_other_is_at_stays(&scene, &mut late).await;

    late_gate.add_permits(1);
    other_gate.add_permits(1);
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(other.stop().await.handled, 1);
    assert_eq!(late.stop().await.retried, 0);
    assert_eq!(scene.count(Stream::Dead).await, 0);
}

/// Once the late worker has settled the message before, for only then does it ask for the next.
async fn what_the_other_is_at_stays(scene: &Scene, late: &mut Hand) {
    scene.publish(6..7).await;
    assert_eq!(late.next().await.0, 6);
    let id = message_id::ready(&chunk(5));
    let queued = scene.connection.is_queued(Stream::Chunks, 1, &id).await;
    assert!(queued.unwrap(), "the other worker is still at it");
}

#[tokio::test]
async fn what_was_taken_from_a_deleted_stream_settles_nothing_of_its_successor() {
    let delete = async |scene: &mut Scene| {
        let jetstream = scene.connection.jetstream();
        jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    };
    a_late_ack_settles_nothing(Scene::new().await, delete).await;
}

#[tokio::test]
async fn what_was_taken_from_a_wiped_server_settles_nothing_of_its_successor() {
    let wipe = async |scene: &mut Scene| {
        scene.server.wipe();
        scene.server.restart();
        let state = scene.connection.state();
        eventually(async || state.borrow().connected).await;
    };
    a_late_ack_settles_nothing(Scene::new().await, wipe).await;
}

/// A worker that stops hears of nothing any more but of what it still has in its hands.
#[tokio::test]
async fn a_worker_that_stops_settles_nothing_of_the_successor_of_a_stream_that_was_deleted_meanwhile()
 {
    let scene = Scene::new().await;
    let (mut late, late_gate) = scene.gated(one_hand()).await;
    scene.publish(0..1).await;
    assert_eq!(late.next().await.0, 0);
    late.stop.cancel();
    // By then it has said that it takes nothing more.
    eventually(async || scene.consumer().await.num_waiting == 0).await;
    let jetstream = scene.connection.jetstream();
    jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    scene.set_up().await;
    let (mut other, other_gate) = scene.gated(one_hand()).await;
    scene.publish(5..6).await;
    assert_eq!(other.next().await.0, 5);

    late_gate.add_permits(1);
    late.stop().await;
    let id = message_id::ready(&chunk(5));
    let queued = scene.connection.is_queued(Stream::Chunks, 1, &id).await;
    assert!(queued.unwrap(), "the other worker is still at it");
    other_gate.add_permits(1);
    scene.until_count(Stream::Chunks, 0).await;
    assert_eq!(other.stop().await.handled, 1);
}

/// What is said while there is no connection is sent when there is one again: by then the stream may be another.
#[tokio::test]
async fn what_was_done_without_a_connection_settles_nothing_of_a_successor() {
    let scene = Scene::new().await;
    let url = scene.server.url();
    let address = url.trim_start_matches("nats://").parse().unwrap();
    let road = FaultProxy::new(address);
    let through = ConnectOptions {
        servers: format!("nats://{}", road.address()),
        ..ConnectOptions::default()
    };
    let cut_off = crispy_queue::connect(&through, &crispy_queue::Prefix::default())
        .await
        .unwrap();
    let (mut late, late_gate) = gated(cut_off, one_hand()).await;
    scene.publish(0..1).await;
    assert_eq!(late.next().await.0, 0);
    road.set(Traffic::Cut);
    let state = late.connection.state();
    eventually(async || !state.borrow().connected).await;
    late_gate.add_permits(1);

    let jetstream = scene.connection.jetstream();
    jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    scene.set_up().await;
    let (mut other, other_gate) = scene.gated(one_hand()).await;
    scene.publish(5..6).await;
    assert_eq!(other.next().await.0, 5);
    road.set(Traffic::Pass);
    what_the_other_is_at_stays(&scene, &mut late).await;

    late_gate.add_permits(1);
    other_gate.add_permits(1);
    scene.until_count(Stream::Chunks, 0).await;
}
