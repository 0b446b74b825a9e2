//! One server, killed under load.

use std::time::{Duration, SystemTime};

use crispy_queue::Stream;
use crispy_testbed::NatsServer;
use tokio::time::sleep;

use crate::{
    fixture::{Load, eventually, set_up, wait_for_count},
    worker_main::Behavior,
    worker_process::{SILENCE, WorkerProcess, all_active, all_delivered, begun},
};

/// The downtime of the server: longer than any reconnect delay.
const OUTAGE: Duration = Duration::from_secs(1);

/// Chunks handled between two kills.
const BETWEEN: usize = 500;

pub(crate) async fn four_workers_resume_within_3_s_of_a_killed_server() {
    let mut server = NatsServer::start();
    let connection = set_up(&server.url()).await;
    let workers: Vec<WorkerProcess> = (0..4)
        .map(|_| WorkerProcess::start(&server.url(), Behavior::AtOnce))
        .collect();
    let load = Load::start(&connection).await;
    for _ in 0..3 {
        all_active(&workers, SystemTime::now()).await;
        let enough = begun(&workers).0.len() + BETWEEN;
        eventually(async || begun(&workers).0.len() >= enough).await;
        server.kill9();
        sleep(OUTAGE).await;
        server.restart();
        let silent = all_active(&workers, SystemTime::now()).await;
        println!("  all four active {silent:.1?} after the server's return");
        assert!(silent < SILENCE, "silent for {silent:?}");
    }
    let published = load.stop().await;
    wait_for_count(&connection, Stream::Chunks, 0).await;
    let repeated = all_delivered(&workers, &published).await;
    println!("  {} chunks, {repeated} delivered again", published.len());
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 0);
}
