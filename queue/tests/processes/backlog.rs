//! Many messages.

use std::time::Instant;

use async_nats::HeaderMap;
use bytes::Bytes;
use crispy_proto::v1::ChunkReady;
use crispy_queue::{Connection, Message, Stream};
use crispy_testbed::NatsServer;
use prost::Message as _;

use crate::{
    chunks::{camera, chunk},
    crew::Hand,
    ground::{eventually, set_up, until_count},
    work::Manner,
};

const SMALL: u64 = 10_000;
const LARGE: u64 = 1_000_000;

/// Publishes without an answer of their own before one that has one: fewer than a stream takes in unwritten (10,000).
const UNANSWERED: u64 = 5000;

/// What two runs of the same may differ by.
const SLACK_KIB: u64 = 4 * 1024;

pub(crate) async fn a_backlog_of_a_million_messages_takes_no_more_memory_than_a_small_one() {
    let server = NatsServer::start();
    let connection = set_up(&server.url()).await;
    pour(&server, &connection, SMALL).await;
    let little = peak_after(&server, SMALL).await;
    until_count(&connection, Stream::Chunks, 0).await;

    let begun = Instant::now();
    pour(&server, &connection, LARGE).await;
    println!("  {LARGE} messages published in {:.1?}", begun.elapsed());
    let much = peak_after(&server, SMALL).await;
    assert!(connection.messages(Stream::Chunks).await.unwrap() > LARGE / 2);
    println!("  at most {little} KiB with {SMALL} messages waiting, {much} KiB with {LARGE}");
    assert!(much < little + SLACK_KIB, "{much} KiB, {little} KiB");
}

/// The memory of a fresh worker after so many messages.
async fn peak_after(server: &NatsServer, messages: u64) -> u64 {
    let hand = Hand::start(&server.url(), Manner::AtOnce);
    let messages = usize::try_from(messages).unwrap();
    eventually(async || hand.count("done") >= messages).await;
    hand.peak_kib()
}

/// Publishes as fast as the stream takes it.
async fn pour(server: &NatsServer, connection: &Connection, messages: u64) {
    let client = async_nats::connect(server.url()).await.unwrap();
    let subject = connection.subjects().chunks(&camera()).to_string();
    let mut headers = HeaderMap::new();
    headers.insert("Crispy-Type", ChunkReady::TYPE);
    let payload = Bytes::from(chunk(0).encode_to_vec());
    let before = connection.messages(Stream::Chunks).await.unwrap();
    for n in 1..=messages {
        let (to, headers, payload) = (subject.clone(), headers.clone(), payload.clone());
        // They are stored in order: the answer to one says that those before it are stored too.
        if n % UNANSWERED == 0 {
            let answered = client.request_with_headers(to, headers, payload);
            answered.await.unwrap();
        } else {
            let sent = client.publish_with_headers(to, headers, payload);
            sent.await.unwrap();
        }
    }
    until_count(connection, Stream::Chunks, before + messages).await;
}
