//! Streams, chunks and load.

use std::{collections::BTreeSet, time::Duration};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use crispy_jetstream::ConnectOptions;
use crispy_queue::{Connection, Publisher, Stream, message_id, topology};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::chunks::{camera, chunk};

/// Longer than any step takes on a busy machine: after each of three kills a lease of 30 s may have
/// to run out.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(150);

/// Concurrent publishers of a load, and the pause of each after a chunk.
const LANES: u64 = 16;
const PACE: Duration = Duration::from_millis(10);

pub(crate) async fn connect(urls: &str) -> Connection {
    let options = ConnectOptions {
        servers: urls.to_owned(),
        wait: TIMEOUT,
        ..ConnectOptions::default()
    };
    crispy_queue::connect(&options, &crispy_queue::Prefix::default())
        .await
        .unwrap()
}

/// Sets up a server.
pub(crate) async fn set_up(url: &str) -> Connection {
    set_up_with(url, 1).await
}

/// Sets up servers with this many replicas.
pub(crate) async fn set_up_with(urls: &str, replicas: u8) -> Connection {
    let connection = connect(urls).await;
    // A young cluster has no leaders yet, and refuses.
    eventually(async || {
        let done = async {
            let plan = topology::plan(&connection, Some(replicas), false).await?;
            plan.apply().await
        };
        done.await.is_ok()
    })
    .await;
    connection
}

/// Sets the lease of the uploaders' consumer.
pub(crate) async fn lease(connection: &Connection, lease: Duration) {
    let config = pull::Config {
        durable_name: Some("uploader".into()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: lease,
        max_ack_pending: 100_000,
        max_waiting: 2048,
        max_deliver: -1,
        ..pull::Config::default()
    };
    let stream = Stream::Chunks.name(connection.prefix());
    let jetstream = connection.jetstream();
    jetstream
        .create_consumer_on_stream(config, stream)
        .await
        .unwrap();
}

/// Publishes chunks concurrently until it is stopped: one that waits delays no other.
pub(crate) struct Load {
    stop: CancellationToken,
    lanes: JoinSet<Vec<u64>>,
}

impl Load {
    pub(crate) async fn start(connection: &Connection) -> Self {
        let (stop, mut lanes) = (CancellationToken::new(), JoinSet::new());
        for lane in 0..LANES {
            let (publisher, connection) = (connection.publisher().await, connection.clone());
            let stop = stop.clone();
            lanes.spawn(async move {
                let mut published = Vec::new();
                while !stop.is_cancelled() {
                    let sequence = lane + LANES * published.len() as u64;
                    publish(&publisher, &connection, sequence).await;
                    published.push(sequence);
                    sleep(PACE).await;
                }
                published
            });
        }
        Self { stop, lanes }
    }

    /// Stops it, and returns the sequences that it published.
    pub(crate) async fn stop(self) -> BTreeSet<u64> {
        self.stop.cancel();
        self.lanes.join_all().await.into_iter().flatten().collect()
    }
}

pub(crate) async fn publish(publisher: &Publisher, connection: &Connection, sequence: u64) {
    let (subject, chunk) = (connection.subjects().chunks(&camera()), chunk(sequence));
    let id = message_id::ready(&chunk);
    publisher.publish(subject, &id, &chunk).await.unwrap();
}

/// Waits until a stream holds this many messages. Asks again where the server does not answer.
pub(crate) async fn wait_for_count(connection: &Connection, stream: Stream, count: u64) {
    eventually(async || {
        connection
            .messages(stream)
            .await
            .is_ok_and(|now| now == count)
    })
    .await;
}

/// Waits until a condition holds.
pub(crate) async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition().await {
        assert!(Instant::now() < deadline, "the condition never holds");
        sleep(Duration::from_millis(5)).await;
    }
}
