//! Servers in lame duck mode.

use crispy_jetstream::{ConnectOptions, NotReady};
use crispy_queue::{Prefix, Stream, connect};
use crispy_testbed::{NatsCluster, NatsOptions};
use tokio::time::{Duration, Instant};

use crate::fixture::{Fixture, TIMEOUT, eventually, quick_config};

/// The server's log line before it disconnects its clients.
const DISCONNECTS: &str = "Closing existing clients";

#[tokio::test]
async fn a_lame_duck_is_left_before_it_disconnects_us() {
    let mut cluster = NatsCluster::start();
    let connection = connect(
        &ConnectOptions {
            servers: cluster.urls(),
            wait: TIMEOUT,
            ..ConnectOptions::default()
        },
        &Prefix::default(),
    )
    .await
    .unwrap();
    connection.publisher().await;
    let on = || {
        let client = connection.jetstream().client();
        client.server_info().server_name
    };
    let (first, state) = (on(), connection.state());
    cluster.node(&first).lame_duck();
    eventually(async || state.borrow().connects == 2 && on() != first).await;
    // The publishing link leaves independently, a moment sooner or later.
    eventually(async || connection.readiness().reasons().is_empty()).await;
    assert!(!cluster.node(&first).log().contains(DISCONNECTS));
}

#[tokio::test]
async fn a_lone_lame_duck_is_kept_until_it_closes() {
    let mut fixture = Fixture::with(&NatsOptions {
        config: "lame_duck_duration: 30s\nlame_duck_grace_period: 1s".into(),
        ..NatsOptions::default()
    })
    .await;
    let mut worker = fixture.worker(quick_config(), async |_, _| Ok(())).await;
    fixture.publish(0..1).await;
    worker.next().await;
    let (state, readiness) = (worker.connection.state(), worker.connection.readiness());
    fixture.server.lame_duck();
    eventually(async || state.borrow().lame_duck).await;
    let reasons = readiness.reasons();
    assert!(
        matches!(reasons[..], [NotReady::LameDuck { .. }]),
        "{reasons:?}"
    );
    assert!(!fixture.server.log().contains(DISCONNECTS));

    eventually(async || fixture.server.is_down()).await;
    assert_eq!(state.borrow().connects, 1, "no earlier reconnect");
    fixture.server.restart();
    let back = Instant::now();
    fixture.publish(1..2).await;
    assert_eq!(worker.next().await.0, 1);
    assert!(
        back.elapsed() < Duration::from_secs(3),
        "{:?}",
        back.elapsed()
    );
    fixture.wait_for_count(Stream::Chunks, 0).await;
    worker.stop().await;
}
