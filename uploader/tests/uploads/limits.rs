//! Limits of an uploader process: memory and bandwidth.

use std::{ops::Range, time::Duration};

use crispy_proto::v1::ChunkReady;
use crispy_queue::Stream;
use crispy_testbed::gcs::{GcsServer, Options};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::{
    fixture::{Fixture, eventually},
    process::Uploader,
};

const MIB: u64 = 1 << 20;

/// Commits chunks, and then publishes them all at once.
async fn publish(fixture: &Fixture, sequences: Range<u64>, size: u64) {
    let commit = |sequence: u64| {
        let bytes = sequence.to_le_bytes().repeat(size as usize / 8);
        fixture.commit(sequence, &bytes)
    };
    let chunks: Vec<ChunkReady> = sequences.map(commit).collect();
    join_all(chunks.iter().map(|chunk| fixture.publish(chunk))).await;
}

#[tokio::test]
async fn chunks_in_flight_stay_within_the_memory_limit() {
    const BUDGET: u64 = 64 * MIB;
    // Slow answers, so that every task holds its chunk.
    let slow = Options {
        latency: Duration::from_millis(300),
        ..Options::default()
    };
    let (fixture, server) = (Fixture::new().await, GcsServer::start_with(slow));
    let idle = Uploader::start(&fixture, server.url(), &["--max-in-flight", "64MiB"]);
    publish(&fixture, 0..1, 8).await;
    fixture.until_count(Stream::Chunks, 0).await;
    let before = idle.most_memory();
    // Eight tasks: 192 MiB without the limit, with one copy of each.
    publish(&fixture, 1..25, 24 * MIB).await;
    fixture.until_count(Stream::Chunks, 0).await;
    let most = idle.most_memory() - before;
    assert!(most < BUDGET + BUDGET / 4, "{} MiB", most / MIB);
    // A chunk larger than the whole budget passes.
    fixture
        .publish(&fixture.commit(99, &vec![7; 100 * MIB as usize]))
        .await;
    fixture.until_count(Stream::Chunks, 0).await;
    assert_eq!(fixture.count(Stream::Dead).await, 0);
    idle.stop();
}

#[tokio::test]
async fn uploads_together_keep_their_rate_within_a_tenth() {
    const CHUNKS: u64 = 25;
    let (fixture, server) = (Fixture::new().await, GcsServer::start());
    publish(&fixture, 0..CHUNKS, MIB / 2).await;
    let uploader = Uploader::start(&fixture, server.url(), &["--max-upload-rate", "4MiB/s"]);
    let created = async |many: u64| {
        eventually(async || server.counts().created >= many).await;
        Instant::now()
    };
    let (first, last) = (created(1).await, created(CHUNKS).await);
    let sent = (CHUNKS - 1) * MIB / 2;
    let rate = sent as f64 / (last - first).as_secs_f64() / (4 * MIB) as f64;
    assert!((0.9..1.1).contains(&rate), "{rate} of the rate");
    uploader.stop();
}
