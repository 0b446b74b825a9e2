//! A bucket that is away for long, in three ways, and an uploader process that waits for it.

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
    ground::{Ground, PATIENCE, eventually},
    process::Uploader,
};

/// Between two chunks.
const PACE: Duration = Duration::from_millis(100);

/// How soon uploads go on once the bucket is back.
const RESUMES: Duration = Duration::from_secs(5);

/// How much memory may come and go: a few chunks, and buffers of connections.
const BREATH: u64 = 24 << 20;

/// How a bucket is away.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Away {
    Refused,
    Status503,
    BlackHole,
}

/// How long it is away: `make outage` makes it a minute. By default somewhat longer than it takes
/// to find a black hole out.
fn how_long() -> Duration {
    let seconds = env::var("CRISPY_OUTAGE_SECONDS").map(|text| text.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(25))
}

#[tokio::test]
async fn an_outage_costs_no_attempt_and_uploads_resume_soon() {
    join3(
        wait_out(Away::Refused),
        wait_out(Away::Status503),
        wait_out(Away::BlackHole),
    )
    .await;
}

#[tokio::test]
async fn an_uploader_started_during_an_outage_waits() {
    let (ground, server) = (Ground::new().await, GcsServer::start());
    server.inject(Fault::new(Effect::Status(503)));
    let uploader = Uploader::start(&ground, server.url(), &[]);
    ground.publish(&ground.commit(0, b"early")).await;
    eventually(async || uploader.log().contains("dependency unavailable")).await;
    server.clear_faults();
    ground.until_count(Stream::Chunks, 0).await;
    assert_eq!(server.counts().created, 1);
    assert_eq!(ground.deliveries().await, 1);
    uploader.stop();
}

async fn wait_out(away: Away) {
    let (ground, server) = (Arc::new(Ground::new().await), GcsServer::start());
    let proxy = FaultProxy::new(server.address());
    let address = format!("http://{}", proxy.address());
    let uploader = Uploader::start(&ground, &address, &[]);
    let load = Load::on(&ground);
    until_created(&server, 20).await;
    let before = uploader.memory();
    let begin = || match away {
        Away::Refused => server.go_down(),
        Away::Status503 => server.inject(Fault::new(Effect::Status(503))),
        Away::BlackHole => proxy.set(Traffic::BlackHole),
    };
    begin();
    let most = most_memory(&uploader, how_long()).await;
    let log = uploader.log();
    assert!(log.contains("dependency unavailable"), "{away:?}: {log}");
    let stored = server.counts().created;
    match away {
        Away::Refused => server.come_back(),
        Away::Status503 => server.clear_faults(),
        Away::BlackHole => proxy.set(Traffic::Pass),
    }
    let back = Instant::now();
    // More than every hand had under way: what a black hole held up may arrive by itself.
    until_created(&server, stored + 20).await;
    let resumed = back.elapsed();
    assert!(resumed < RESUMES, "{away:?}: went on after {resumed:?}");
    assert!(
        most < before + BREATH,
        "{away:?}: memory grew from {before} to {most}"
    );
    let chunks = load.stop().await;
    ground.until_count(Stream::Chunks, 0).await;
    let counts = server.counts();
    assert_eq!(
        (counts.created, counts.overwritten),
        (chunks, 0),
        "{away:?}"
    );
    assert_eq!(ground.count(Stream::Uploaded).await, chunks, "{away:?}");
    assert_eq!(ground.count(Stream::Dead).await, 0, "{away:?}");
    let deliveries = ground.deliveries().await;
    assert_eq!(deliveries, chunks, "{away:?}: each was delivered once");
    let log = uploader.stop();
    assert!(!log.contains("message will be retried"), "{away:?}: {log}");
}

async fn until_created(server: &GcsServer, many: u64) {
    let created = async {
        while server.counts().created < many {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, created).await.expect("it uploads");
}

/// The most memory that it has within this time.
async fn most_memory(uploader: &Uploader, time: Duration) -> u64 {
    let end = Instant::now() + time;
    let mut most = 0;
    while Instant::now() < end {
        most = most.max(uploader.memory());
        sleep(PACE).await;
    }
    most
}

/// Chunks that keep coming.
struct Load {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<u64>,
}

impl Load {
    fn on(ground: &Arc<Ground>) -> Self {
        let (ground, stop) = (Arc::clone(ground), Arc::new(AtomicBool::new(false)));
        let stopping = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut sequence = 0_u64;
            while !stopping.load(Ordering::SeqCst) {
                let bytes = sequence.to_le_bytes().repeat(25_000);
                let chunk = ground.commit(sequence, &bytes);
                ground.publish(&chunk).await;
                sequence += 1;
                sleep(PACE).await;
            }
            sequence
        });
        Self { stop, task }
    }

    /// Ends it; how many there were.
    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}
