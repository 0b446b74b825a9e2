//! Workers that are killed at the worst moments.

use std::time::Duration;

use crispy_queue::Stream;
use crispy_testbed::{FaultProxy, NatsServer, Traffic};

use crate::{
    crew::Hand,
    ground::{lease, publish, set_up, until_count},
    work::Manner,
};

/// Short, so that what a dead worker held comes again soon.
const LEASE: Duration = Duration::from_millis(600);

/// Between the two nothing can be heard of it: its acknowledgement is on its way when it dies, and never arrives.
pub(crate) async fn a_worker_that_is_killed_between_its_handler_and_its_ack_leaves_its_message_to_another()
 {
    let server = NatsServer::start();
    let connection = set_up(&server.url()).await;
    lease(&connection, LEASE).await;
    let address = server.url().replace("nats://", "").parse().unwrap();
    let road = FaultProxy::new(address);
    let mut first = Hand::start(&format!("nats://{}", road.address()), Manner::WhenTold);
    publish(&connection.publisher().await, &connection, 0).await;
    first.until_said("begun").await;
    road.set(Traffic::BlackHole);
    first.tell();
    first.until_said("done").await;
    first.kill9();
    road.reset();

    let second = Hand::start(&server.url(), Manner::AtOnce);
    second.until_said("done").await;
    until_count(&connection, Stream::Chunks, 0).await;
    assert_eq!(first.count("done"), 1);
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 0);
}

/// The second announcement bears the first one's id: whoever reads the stream finds one.
pub(crate) async fn a_worker_that_is_killed_between_its_event_and_its_ack_announces_once_in_effect()
{
    let server = NatsServer::start();
    let connection = set_up(&server.url()).await;
    lease(&connection, LEASE).await;
    let mut first = Hand::start(&server.url(), Manner::Announce);
    publish(&connection.publisher().await, &connection, 0).await;
    first.until_said("announced").await;
    first.kill9();
    assert_eq!(connection.messages(Stream::Uploaded).await.unwrap(), 1);
    assert_eq!(connection.messages(Stream::Chunks).await.unwrap(), 1);

    let mut second = Hand::start(&server.url(), Manner::Announce);
    second.until_said("announced").await;
    second.tell();
    until_count(&connection, Stream::Chunks, 0).await;
    assert_eq!(connection.messages(Stream::Uploaded).await.unwrap(), 1);
}
