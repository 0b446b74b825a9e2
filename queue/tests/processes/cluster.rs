//! A cluster that loses its leader, and one that is torn apart.

use std::time::SystemTime;

use crispy_queue::{Connection, Stream};
use testbed::NatsCluster;

use crate::{
    crew::{Hand, SILENCE, all_heard, begun},
    ground::{Load, connect, eventually, set_up_with, until_count},
    work::Manner,
};

/// Both with one crew and under one load: the second meets the queue as the first has left it.
pub(crate) async fn four_processes_work_on_when_the_leader_is_killed_and_when_it_is_cut_off() {
    let mut cluster = NatsCluster::start();
    let connection = set_up_with(&cluster.urls(), 3).await;
    let hands = crew(&mut cluster);
    let load = Load::on(&connection).await;
    all_heard(&hands, SystemTime::now()).await;

    let killed = until_led(&connection, None).await;
    cluster.node(&killed).kill9();
    let successor = until_led(&connection, Some(&killed)).await;
    at_work(
        &hands,
        &format!("{killed} was killed, and {successor} leads"),
    )
    .await;
    cluster.node(&killed).restart();
    at_work(&hands, &format!("{killed} was started again")).await;

    let lone = until_led(&connection, None).await;
    let other = ["n0", "n1"].into_iter().find(|node| *node != lone).unwrap();
    let elsewhere = connect(&cluster.node(other).url()).await;
    cluster.cut_off(&lone);
    let successor = until_led(&elsewhere, Some(&lone)).await;
    println!("  {lone} was cut off, and {successor} leads");
    // Those that sit on the lone node have to find out first: nobody tells them.
    let moved = all_heard(&hands, SystemTime::now()).await;
    println!("  all four at work {moved:.1?} after that");
    cluster.rejoin(&lone);
    // Its return may cost the others their leader, and an election has no bound of ours: what it took is told, not judged.
    let settled = all_heard(&hands, SystemTime::now()).await;
    println!("  all four at work {settled:.1?} after {lone} was joined again");

    let published = load.stop().await;
    until_count(&connection, Stream::Chunks, 0).await;
    let (distinct, repeated) = begun(&hands);
    println!("  {published} chunks, {repeated} delivered again");
    assert!(distinct.into_iter().eq(0..published), "nothing is lost");
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 0);
}

/// Every worker is at work soon after what has just happened.
async fn at_work(hands: &[Hand], event: &str) {
    let silent = all_heard(hands, SystemTime::now()).await;
    println!("  all four at work {silent:.1?} after {event}");
    assert!(silent < SILENCE, "silent for {silent:?}");
}

/// Four workers, on all nodes: each knows one at first, and hears of the others there.
fn crew(cluster: &mut NatsCluster) -> Vec<Hand> {
    let start = |node| Hand::start(&cluster.node(node).url(), Manner::AtOnce);
    ["n0", "n1", "n2", "n0"].map(start).into()
}

/// Waits until stream and durable have leaders, other than the one that was; the stream's.
async fn until_led(connection: &Connection, but: Option<&str>) -> String {
    let mut leader = None;
    eventually(async || {
        leader = leaders(connection).await.filter(|[stream, durable]| {
            Some(stream.as_str()) != but && Some(durable.as_str()) != but
        });
        leader.is_some()
    })
    .await;
    let [stream, _] = leader.unwrap();
    stream
}

async fn leaders(connection: &Connection) -> Option<[String; 2]> {
    let name = Stream::Chunks.name(connection.prefix());
    let stream = connection.jetstream().get_stream(name).await.ok()?;
    let durable = stream.consumer_info("uploader").await.ok()?;
    let of_stream = stream.cached_info().cluster.as_ref()?.leader.clone()?;
    Some([of_stream, durable.cluster?.leader?])
}
