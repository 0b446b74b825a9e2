//! A cluster whose servers are closed one after the other, as for an upgrade.

use std::time::SystemTime;

use crispy_queue::{Connection, Stream};
use crispy_testbed::NatsCluster;

use crate::{
    cluster::crew,
    crew::{SILENCE, all_delivered, all_heard, longest_silence},
    ground::{Load, eventually, set_up_with, until_count},
};

/// What a server logs when its patience with its clients is over.
const THROWS_OUT: &str = "Closing existing clients";

pub(crate) async fn four_processes_work_on_when_the_servers_close_one_after_the_other() {
    let mut cluster = NatsCluster::start();
    let connection = set_up_with(&cluster.urls(), 3).await;
    let hands = crew(&mut cluster);
    let load = Load::on(&connection).await;
    all_heard(&hands, SystemTime::now()).await;
    for node in ["n0", "n1", "n2"] {
        until_whole(&connection).await;
        let told = SystemTime::now();
        cluster.node(node).lame_duck();
        eventually(async || cluster.node(node).log().contains(THROWS_OUT)).await;
        let moved = longest_silence(&hands, told..SystemTime::now());
        println!("  none silent for more than {moved:.1?} until {node} throws its clients out");
        eventually(async || cluster.node(node).is_down()).await;
        all_heard(&hands, SystemTime::now()).await;
        let silent = longest_silence(&hands, told..SystemTime::now());
        println!("  none silent for more than {silent:.1?} until it has ended");
        assert!(silent < SILENCE, "silent for {silent:?}");
        cluster.node(node).restart();
    }
    let published = load.stop().await;
    until_count(&connection, Stream::Chunks, 0).await;
    let repeated = all_delivered(&hands, &published).await;
    println!("  {} chunks, {repeated} delivered again", published.len());
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 0);
}

/// Waits until every server has all that there is: as whoever upgrades a cluster does before the next one.
async fn until_whole(connection: &Connection) {
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
