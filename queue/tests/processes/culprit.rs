//! A message that kills every process that handles it: it is given up after as many deaths as are promised, and those beside it are not.

use std::{process::ExitStatus, time::Duration};

use crispy_proto::v1::{DeadLetter, dead_letter::Kind};
use crispy_queue::{Connection, Stream};
use crispy_testbed::NatsServer;
use prost::Message as _;
use tokio::time::sleep;

use crate::{
    chunks::chunk,
    crew::Hand,
    ground::{lease, publish, set_up},
    work::Manner,
};

/// The chunk that kills.
pub(crate) const CULPRIT: u64 = 2;

/// Chunks, all handled at once.
const CHUNKS: u64 = 6;

/// Deaths until it is given up: four deliveries without a mark, and three with one.
const DEATHS: usize = 7;

/// Short, so that what a dead worker held comes again soon.
const LEASE: Duration = Duration::from_millis(300);

pub(crate) async fn what_kills_its_workers_is_given_up_and_takes_nobody_with_it() {
    let server = NatsServer::start();
    let connection = set_up(&server.url()).await;
    lease(&connection, LEASE).await;
    let publisher = connection.publisher().await;
    for sequence in 0..CHUNKS {
        publish(&publisher, &connection, sequence).await;
    }

    let mut deaths = 0;
    while let Some(status) = one_worker(&server, &connection).await {
        assert!(!status.success() && status.code().is_none(), "{status}");
        deaths += 1;
        assert!(deaths <= DEATHS, "{deaths} workers died");
    }
    assert_eq!(deaths, DEATHS);
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 1);
    assert_eq!(connection.messages(Stream::CrashMarks).await.unwrap(), 0);
    let letter = dead_letter(&connection).await;
    assert_eq!(letter.kind(), Kind::CrashGuard);
    assert_eq!(letter.payload, chunk(CULPRIT).encode_to_vec());
}

/// How a worker died, or None once all work is done.
async fn one_worker(server: &NatsServer, connection: &Connection) -> Option<ExitStatus> {
    let mut hand = Hand::start(&server.url(), Manner::DieOfOne);
    loop {
        if let Some(status) = hand.ended() {
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
