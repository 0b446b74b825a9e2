//! A message that crashes every process that handles it becomes a dead letter, and its neighbours
//! do not.

use std::{process::ExitStatus, time::Duration};

use crispy_proto::v1::{DeadLetter, dead_letter::Kind};
use crispy_queue::{Connection, Stream};
use crispy_testbed::NatsServer;
use prost::Message as _;
use tokio::time::sleep;

use crate::{
    chunks::chunk,
    fixture::{lease, publish, set_up},
    worker_main::Behavior,
    worker_process::WorkerProcess,
};

/// The chunk that crashes its process.
pub(crate) const CRASHING: u64 = 2;

/// Chunks, all handled at once.
const CHUNKS: u64 = 6;

/// Crashes until the dead letter: four deliveries without a mark, three with one.
const CRASHES: usize = 7;

/// Short, so that a crashed worker's messages are delivered again soon.
const LEASE: Duration = Duration::from_millis(300);

pub(crate) async fn a_message_that_crashes_processes_is_dead_lettered_alone() {
    let server = NatsServer::start();
    let connection = set_up(&server.url()).await;
    lease(&connection, LEASE).await;
    let publisher = connection.publisher().await;
    for sequence in 0..CHUNKS {
        publish(&publisher, &connection, sequence).await;
    }

    let mut crashes = 0;
    while let Some(status) = one_worker(&server, &connection).await {
        assert!(!status.success() && status.code().is_none(), "{status}");
        crashes += 1;
        assert!(crashes <= CRASHES, "{crashes} workers crashed");
    }
    assert_eq!(crashes, CRASHES);
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 1);
    assert_eq!(connection.messages(Stream::CrashMarks).await.unwrap(), 0);
    let letter = dead_letter(&connection).await;
    assert_eq!(letter.kind(), Kind::CrashGuard);
    assert_eq!(letter.payload, chunk(CRASHING).encode_to_vec());
}

/// The exit status of a crashed worker, or None once all messages are handled.
async fn one_worker(server: &NatsServer, connection: &Connection) -> Option<ExitStatus> {
    let mut worker = WorkerProcess::start(&server.url(), Behavior::CrashOnOne);
    loop {
        if let Some(status) = worker.ended() {
            return Some(status);
        }
        if connection.messages(Stream::Chunks).await.unwrap() == 0 {
            return None;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

async fn dead_letter(connection: &Connection) -> DeadLetter {
    let name = Stream::Dead.name(connection.prefix());
    let stream = connection.jetstream().get_stream(name).await.unwrap();
    DeadLetter::decode(stream.get_raw_message(1).await.unwrap().payload).unwrap()
}
