//! Workers killed at the worst moments.

use std::time::Duration;

use crispy_queue::Stream;
use crispy_testbed::{FaultProxy, NatsServer, Traffic};

use crate::{
    fixture::{lease, publish, set_up, wait_for_count},
    worker_main::Behavior,
    worker_process::WorkerProcess,
};

/// Short, so that a killed worker's messages are delivered again soon.
const LEASE: Duration = Duration::from_millis(600);

/// The proxy swallows its acknowledgement.
pub(crate) async fn a_worker_killed_before_its_ack_leaves_its_message_to_another() {
    let server = NatsServer::start();
    let connection = set_up(&server.url()).await;
    lease(&connection, LEASE).await;
    let address = server.url().replace("nats://", "").parse().unwrap();
    let proxy = FaultProxy::new(address);
    let mut first =
        WorkerProcess::start(&format!("nats://{}", proxy.address()), Behavior::OnSignal);
    publish(&connection.publisher().await, &connection, 0).await;
    first.wait_for("begun").await;
    proxy.set(Traffic::BlackHole);
    first.signal();
    first.wait_for("done").await;
    first.kill9();
    proxy.reset();

    let second = WorkerProcess::start(&server.url(), Behavior::AtOnce);
    second.wait_for("done").await;
    wait_for_count(&connection, Stream::Chunks, 0).await;
    assert_eq!(first.count("done"), 1);
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 0);
}

/// The second event has the first one's message id: the stream stores one.
pub(crate) async fn a_worker_killed_after_its_event_announces_once_in_effect() {
    let server = NatsServer::start();
    let connection = set_up(&server.url()).await;
    lease(&connection, LEASE).await;
    let mut first = WorkerProcess::start(&server.url(), Behavior::Announce);
    publish(&connection.publisher().await, &connection, 0).await;
    first.wait_for("announced").await;
    first.kill9();
    assert_eq!(connection.messages(Stream::Uploaded).await.unwrap(), 1);
    assert_eq!(connection.messages(Stream::Chunks).await.unwrap(), 1);

    let mut second = WorkerProcess::start(&server.url(), Behavior::Announce);
    second.wait_for("announced").await;
    second.signal();
    wait_for_count(&connection, Stream::Chunks, 0).await;
    assert_eq!(connection.messages(Stream::Uploaded).await.unwrap(), 1);
}
