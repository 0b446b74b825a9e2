//! Streams that are deleted, or lost with the server's disk, and created again: acknowledgements of
//! the old stream's messages must not settle messages of the new one.

use crispy_jetstream::ConnectOptions;
use crispy_queue::{Stream, WorkerConfig, message_id};
use crispy_testbed::{FaultProxy, Traffic};

use crate::fixture::{Fixture, RunningWorker, chunk, eventually, gated, quick_config};

fn one_permit() -> WorkerConfig {
    WorkerConfig {
        concurrency: 1,
        ..quick_config()
    }
}

/// One worker handles message 1 of the old stream, another message 1 of the new one, when the first
/// finishes.
async fn a_late_ack_settles_nothing(mut fixture: Fixture, lose: impl AsyncFn(&mut Fixture)) {
    let (mut late, late_gate) = fixture.gated(one_permit()).await;
    fixture.publish(0..1).await;
    assert_eq!(late.next().await.0, 0);
    lose(&mut fixture).await;
    fixture.set_up().await;
    let (mut other, other_gate) = fixture.gated(one_permit()).await;
    fixture.publish(5..6).await;
    assert_eq!(other.next().await.0, 5);

    late_gate.add_permits(1);
    assert_the_other_message_stays(&fixture, &mut late).await;

    late_gate.add_permits(1);
    other_gate.add_permits(1);
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(other.stop().await.handled, 1);
    assert_eq!(late.stop().await.retried, 0);
    assert_eq!(fixture.count(Stream::Dead).await, 0);
}

/// Checks it once the late worker has settled its message: only then does it request the next.
async fn assert_the_other_message_stays(fixture: &Fixture, late: &mut RunningWorker) {
    fixture.publish(6..7).await;
    assert_eq!(late.next().await.0, 6);
    let id = message_id::ready(&chunk(5));
    let queued = fixture.connection.is_queued(Stream::Chunks, 1, &id).await;
    assert!(queued.unwrap(), "the other worker still handles it");
}

#[tokio::test]
async fn messages_of_a_deleted_stream_settle_none_of_its_successor() {
    let delete = async |fixture: &mut Fixture| {
        let jetstream = fixture.connection.jetstream();
        jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    };
    a_late_ack_settles_nothing(Fixture::new().await, delete).await;
}

#[tokio::test]
async fn messages_of_a_wiped_server_settle_none_of_its_successor() {
    let wipe = async |fixture: &mut Fixture| {
        fixture.server.wipe();
        fixture.server.restart();
        let state = fixture.connection.state();
        eventually(async || state.borrow().connected).await;
    };
    a_late_ack_settles_nothing(Fixture::new().await, wipe).await;
}

/// A stopping worker receives nothing more, but still has a message in flight.
#[tokio::test]
async fn a_stopping_worker_settles_no_message_of_a_successor() {
    let fixture = Fixture::new().await;
    let (mut late, late_gate) = fixture.gated(one_permit()).await;
    fixture.publish(0..1).await;
    assert_eq!(late.next().await.0, 0);
    late.stop.cancel();
    // By then it has withdrawn from pulling.
    eventually(async || fixture.consumer().await.num_waiting == 0).await;
    let jetstream = fixture.connection.jetstream();
    jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    fixture.set_up().await;
    let (mut other, other_gate) = fixture.gated(one_permit()).await;
    fixture.publish(5..6).await;
    assert_eq!(other.next().await.0, 5);

    late_gate.add_permits(1);
    late.stop().await;
    let id = message_id::ready(&chunk(5));
    let queued = fixture.connection.is_queued(Stream::Chunks, 1, &id).await;
    assert!(queued.unwrap(), "the other worker still handles it");
    other_gate.add_permits(1);
    fixture.wait_for_count(Stream::Chunks, 0).await;
    assert_eq!(other.stop().await.handled, 1);
}

/// Messages published without a connection are sent after the reconnect: the stream may be another
/// by then.
#[tokio::test]
async fn messages_handled_offline_settle_none_of_a_successor() {
    let fixture = Fixture::new().await;
    let url = fixture.server.url();
    let address = url.trim_start_matches("nats://").parse().unwrap();
    let proxy = FaultProxy::new(address);
    let through = ConnectOptions {
        servers: format!("nats://{}", proxy.address()),
        ..ConnectOptions::default()
    };
    let offline = crispy_queue::connect(&through, &crispy_queue::Prefix::default())
        .await
        .unwrap();
    let (mut late, late_gate) = gated(offline, one_permit()).await;
    fixture.publish(0..1).await;
    assert_eq!(late.next().await.0, 0);
    proxy.set(Traffic::Cut);
    let state = late.connection.state();
    eventually(async || !state.borrow().connected).await;
    late_gate.add_permits(1);

    let jetstream = fixture.connection.jetstream();
    jetstream.delete_stream("CRISPY_CHUNKS").await.unwrap();
    fixture.set_up().await;
    let (mut other, other_gate) = fixture.gated(one_permit()).await;
    fixture.publish(5..6).await;
    assert_eq!(other.next().await.0, 5);
    proxy.set(Traffic::Pass);
    assert_the_other_message_stays(&fixture, &mut late).await;

    late_gate.add_permits(1);
    other_gate.add_permits(1);
    fixture.wait_for_count(Stream::Chunks, 0).await;
}
