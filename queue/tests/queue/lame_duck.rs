//! Servers that say that they are about to close.

use crispy_jetstream::{ConnectOptions, NotReady};
use crispy_queue::{Prefix, Stream, connect};
use crispy_testbed::{NatsCluster, NatsOptions};
use tokio::time::{Duration, Instant};

use crate::scene::{PATIENCE, Scene, eventually, quick};

/// What a server logs when its patience with its clients is over.
const THROWS_OUT: &str = "Closing existing clients";

#[tokio::test]
async fn a_server_that_will_close_is_left_before_it_throws_anybody_out() {
    let mut cluster = NatsCluster::start();
    let connection = connect(
        &ConnectOptions {
            servers: cluster.urls(),
            wait: PATIENCE,
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
    // The link for publishing is left by itself, a moment sooner or later.
    eventually(async || connection.readiness().reasons().is_empty()).await;
    assert!(!cluster.node(&first).log().contains(THROWS_OUT));
}

#[tokio::test]
async fn the_only_server_is_kept_until_it_goes_and_found_again_when_it_is_back() {
    let mut scene = Scene::with(&NatsOptions {
        config: "lame_duck_duration: 30s\nlame_duck_grace_period: 1s".into(),
        ..NatsOptions::default()
    })
    .await;
    let mut hand = scene.worker(quick(), async |_, _| Ok(())).await;
    scene.publish(0..1).await;
    hand.next().await;
    let (state, readiness) = (hand.connection.state(), hand.connection.readiness());
    scene.server.lame_duck();
    eventually(async || state.borrow().lame_duck).await;
    let reasons = readiness.reasons();
    assert!(
        matches!(reasons[..], [NotReady::LameDuck { .. }]),
        "{reasons:?}"
    );
    assert!(!scene.server.log().contains(THROWS_OUT));

    eventually(async || scene.server.is_down()).await;
    assert_eq!(state.borrow().connects, 1, "nobody left before");
    scene.server.restart();
    let back = Instant::now();
    scene.publish(1..2).await;
    assert_eq!(hand.next().await.0, 1);
    assert!(
        back.elapsed() < Duration::from_secs(3),
        "{:?}",
        back.elapsed()
    );
    scene.until_count(Stream::Chunks, 0).await;
    hand.stop().await;
}
