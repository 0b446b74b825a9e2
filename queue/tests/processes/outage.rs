//! One server, killed under load.

use std::time::{Duration, SystemTime};

use crispy_queue::Stream;
use crispy_testbed::NatsServer;
use tokio::time::sleep;

use crate::{
    crew::{Hand, SILENCE, all_delivered, all_heard, begun},
    ground::{Load, eventually, set_up, until_count},
    work::Manner,
};

/// How long the server stays away: longer than any pause between attempts to reach it.
const AWAY: Duration = Duration::from_secs(1);

/// Chunks handled between two deaths.
const BETWEEN: usize = 500;

pub(crate) async fn four_processes_work_on_within_three_seconds_of_each_of_three_killed_servers() {
    let mut server = NatsServer::start();
    let connection = set_up(&server.url()).await;
    let hands: Vec<Hand> = (0..4)
        .map(|_| Hand::start(&server.url(), Manner::AtOnce))
        .collect();
    let load = Load::on(&connection).await;
    for _ in 0..3 {
        all_heard(&hands, SystemTime::now()).await;
        let enough = begun(&hands).0.len() + BETWEEN;
        eventually(async || begun(&hands).0.len() >= enough).await;
        server.kill9();
        sleep(AWAY).await;
        server.restart();
        let silent = all_heard(&hands, SystemTime::now()).await;
        println!("  all four at work {silent:.1?} after the server's return");
        assert!(silent < SILENCE, "silent for {silent:?}");
    }
    let published = load.stop().await;
    until_count(&connection, Stream::Chunks, 0).await;
    let repeated = all_delivered(&hands, &published).await;
    println!("  {} chunks, {repeated} delivered again", published.len());
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 0);
}
