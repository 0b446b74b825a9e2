//! Memory with many messages waiting.

use std::time::Instant;

use async_nats::HeaderMap;
use bytes::Bytes;
use crispy_proto::v1::ChunkReady;
use crispy_queue::{Connection, Message, Stream};
use crispy_testbed::NatsServer;
use prost::Message as _;

use crate::{
    chunks::{camera, chunk},
    fixture::{eventually, set_up, wait_for_count},
    worker_main::Behavior,
    worker_process::WorkerProcess,
};

const SMALL: u64 = 10_000;
const LARGE: u64 = 1_000_000;

/// Publishes without an acknowledgement before one with: fewer than a stream accepts unwritten
/// (10,000).
const UNANSWERED: u64 = 5000;

/// The noise between two runs.
const SLACK_KIB: u64 = 4 * 1024;

pub(crate) async fn a_million_messages_take_no_more_memory_than_a_few() {
    let server = NatsServer::start();
    let connection = set_up(&server.url()).await;
    publish_many(&server, &connection, SMALL).await;
    let small = peak_after(&server, SMALL).await;
    wait_for_count(&connection, Stream::Chunks, 0).await;

    let begun = Instant::now();
    publish_many(&server, &connection, LARGE).await;
    println!("  {LARGE} messages published in {:.1?}", begun.elapsed());
    let large = peak_after(&server, SMALL).await;
    assert!(connection.messages(Stream::Chunks).await.unwrap() > LARGE / 2);
    println!("  at most {small} KiB with {SMALL} messages waiting, {large} KiB with {LARGE}");
    assert!(large < small + SLACK_KIB, "{large} KiB, {small} KiB");
}

/// The peak memory of a fresh worker after this many messages.
async fn peak_after(server: &NatsServer, messages: u64) -> u64 {
    let worker = WorkerProcess::start(&server.url(), Behavior::AtOnce);
    let messages = usize::try_from(messages).unwrap();
    eventually(async || worker.count("done") >= messages).await;
    worker.peak_kib()
}

/// Publishes as fast as the stream accepts.
async fn publish_many(server: &NatsServer, connection: &Connection, messages: u64) {
    let client = async_nats::connect(server.url()).await.unwrap();
    let subject = connection.subjects().chunks(&camera()).to_string();
    let mut headers = HeaderMap::new();
    headers.insert("Crispy-Type", ChunkReady::TYPE);
    let payload = Bytes::from(chunk(0).encode_to_vec());
    let before = connection.messages(Stream::Chunks).await.unwrap();
    for n in 1..=messages {
        let (to, headers, payload) = (subject.clone(), headers.clone(), payload.clone());
        // Stored in order: the acknowledgement of one covers those before it.
        if n % UNANSWERED == 0 {
            let answered = client.request_with_headers(to, headers, payload);
            answered.await.unwrap();
        } else {
            let sent = client.publish_with_headers(to, headers, payload);
            sent.await.unwrap();
        }
    }
    wait_for_count(connection, Stream::Chunks, before + messages).await;
}
