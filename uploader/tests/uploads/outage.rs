//! Long outages of three kinds, and an uploader process that waits for their ends.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crispy_queue::Stream;
use crispy_testbed::{
    FaultProxy, Traffic,
    gcs::{Effect, Fault, GcsServer},
};
use futures_util::future::join3;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    fixture::{Fixture, PATIENCE, eventually},
    process::Uploader,
};

/// Between two chunks.
const PACE: Duration = Duration::from_millis(100);

/// The time until uploads resume, once the bucket is back.
const RESUMES: Duration = Duration::from_secs(5);

/// Normal variation of memory: a few chunks, and buffers of connections.
const VARIATION: u64 = 24 << 20;

/// A kind of outage.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outage {
    Refused,
    Status503,
    BlackHole,
}

/// Its duration: a minute by `make outage`; by default a little more than the detection of a
/// black hole takes.
fn outage_duration() -> Duration {
    let seconds = env::var("CRISPY_OUTAGE_SECONDS").map(|text| text.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(25))
}

#[tokio::test]
async fn an_outage_costs_no_attempt_and_uploads_resume_soon() {
    join3(
        wait_out(Outage::Refused),
        wait_out(Outage::Status503),
        wait_out(Outage::BlackHole),
    )
    .await;
}

#[tokio::test]
async fn an_uploader_started_during_an_outage_waits() {
    let (fixture, server) = (Fixture::new().await, GcsServer::start());
    server.inject(Fault::new(Effect::Status(503)));
    let uploader = Uploader::start(&fixture, server.url(), &[]);
    fixture.publish(&fixture.commit(0, b"early")).await;
    eventually(async || uploader.log().contains("dependency unavailable")).await;
    server.clear_faults();
    fixture.until_count(Stream::Chunks, 0).await;
    assert_eq!(server.counts().created, 1);
    assert_eq!(fixture.deliveries().await, 1);
    uploader.stop();
}

async fn wait_out(outage: Outage) {
    let (fixture, server) = (Arc::new(Fixture::new().await), GcsServer::start());
    let proxy = FaultProxy::new(server.address());
    let address = format!("http://{}", proxy.address());
    let uploader = Uploader::start(&fixture, &address, &[]);
    let load = Load::new(&fixture);
    until_created(&server, 20).await;
    let before = uploader.memory();
    let begin = || match outage {
        Outage::Refused => server.go_down(),
        Outage::Status503 => server.inject(Fault::new(Effect::Status(503))),
        Outage::BlackHole => proxy.set(Traffic::BlackHole),
    };
    begin();
    let most = most_memory(&uploader, outage_duration()).await;
    let log = uploader.log();
    assert!(log.contains("dependency unavailable"), "{outage:?}: {log}");
    let stored = server.counts().created;
    match outage {
        Outage::Refused => server.come_back(),
        Outage::Status503 => server.clear_faults(),
        Outage::BlackHole => proxy.set(Traffic::Pass),
    }
    let back = Instant::now();
    // More than all uploads in flight: requests held up by a black hole may still arrive.
    until_created(&server, stored + 20).await;
    let resumed = back.elapsed();
    assert!(resumed < RESUMES, "{outage:?}: went on after {resumed:?}");
    assert!(
        most < before + VARIATION,
        "{outage:?}: memory grew from {before} to {most}"
    );
    let chunks = load.stop().await;
    fixture.until_count(Stream::Chunks, 0).await;
    let counts = server.counts();
    assert_eq!(
        (counts.created, counts.overwritten),
        (chunks, 0),
        "{outage:?}"
    );
    assert_eq!(fixture.count(Stream::Uploaded).await, chunks, "{outage:?}");
    assert_eq!(fixture.count(Stream::Dead).await, 0, "{outage:?}");
    let deliveries = fixture.deliveries().await;
    assert_eq!(deliveries, chunks, "{outage:?}: each was delivered once");
    let log = uploader.stop();
    assert!(
        !log.contains("message will be retried"),
        "{outage:?}: {log}"
    );
}

async fn until_created(server: &GcsServer, many: u64) {
    let created = async {
        while server.counts().created < many {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, created).await.expect("it uploads");
}

/// The maximum of its memory within this time.
async fn most_memory(uploader: &Uploader, time: Duration) -> u64 {
    let end = Instant::now() + time;
    let mut most = 0;
    while Instant::now() < end {
        most = most.max(uploader.memory());
        sleep(PACE).await;
    }
    most
}

/// A stream of new chunks.
struct Load {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<u64>,
}

impl Load {
    fn new(fixture: &Arc<Fixture>) -> Self {
        let (fixture, stop) = (Arc::clone(fixture), Arc::new(AtomicBool::new(false)));
        let stopping = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut sequence = 0_u64;
            while !stopping.load(Ordering::SeqCst) {
                let bytes = sequence.to_le_bytes().repeat(25_000);
                let chunk = fixture.commit(sequence, &bytes);
                fixture.publish(&chunk).await;
                sequence += 1;
                sleep(PACE).await;
            }
            sequence
        });
        Self { stop, task }
    }

    /// Stops it. Returns the number of chunks.
    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}
