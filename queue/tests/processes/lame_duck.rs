//! A cluster whose servers close in turn, as for an upgrade.

use std::time::SystemTime;

use crispy_queue::{Connection, Stream};
use crispy_testbed::NatsCluster;

use crate::{
    cluster::start_workers,
    fixture::{Load, eventually, set_up_with, wait_for_count},
    worker_process::{SILENCE, all_active, all_delivered, longest_silence},
};

/// The server's log line before it disconnects its clients.
const DISCONNECTS: &str = "Closing existing clients";

pub(crate) async fn four_workers_resume_when_the_servers_close_in_turn() {
    let mut cluster = NatsCluster::start();
    let connection = set_up_with(&cluster.urls(), 3).await;
    let workers = start_workers(&mut cluster);
    let load = Load::start(&connection).await;
    all_active(&workers, SystemTime::now()).await;
    for node in ["n0", "n1", "n2"] {
        wait_for_replicas(&connection).await;
        let started = SystemTime::now();
        cluster.node(node).lame_duck();
        eventually(async || cluster.node(node).log().contains(DISCONNECTS)).await;
        let moved = longest_silence(&workers, started..SystemTime::now());
        println!("  none silent for more than {moved:.1?} until {node} disconnects its clients");
        eventually(async || cluster.node(node).is_down()).await;
        all_active(&workers, SystemTime::now()).await;
        let silent = longest_silence(&workers, started..SystemTime::now());
        println!("  none silent for more than {silent:.1?} until it has ended");
        assert!(silent < SILENCE, "silent for {silent:?}");
        cluster.node(node).restart();
    }
    let published = load.stop().await;
    wait_for_count(&connection, Stream::Chunks, 0).await;
    let repeated = all_delivered(&workers, &published).await;
    println!("  {} chunks, {repeated} delivered again", published.len());
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 0);
}

/// Waits until all replicas are current, as operators do before they upgrade the next server.
async fn wait_for_replicas(connection: &Connection) {
    let name = Stream::Chunks.name(connection.prefix());
    eventually(async || {
        let stream = connection.jetstream().get_stream(&name).await;
        let Ok(stream) = stream else { return false };
        let Ok(durable) = stream.consumer_info("uploader").await else {
            return false;
        };
        let clusters = [stream.cached_info().cluster.clone(), durable.cluster];
        clusters.iter().flatten().all(|cluster| {
            let replicas = cluster.replicas.iter();
            cluster.leader.is_some() && replicas.clone().all(|one| one.current && !one.offline)
        })
    })
    .await;
}
