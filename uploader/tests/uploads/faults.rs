//! Every fault of a bucket, through worker and handler: what becomes of the message, what is sent,
//! what is stored, what is said.

use std::time::{Duration, Instant};

use crispy_bucket::{Bucket, Lookup, Metadata};
use crispy_checksum::Checksums;
use crispy_proto::v1::{self, ChunkReady};
use crispy_queue::Stream;
use crispy_testbed::gcs::{Effect, Fault, GcsServer};
use futures_util::{StreamExt, stream};

use crate::fixture::{ANSWER, Fixture, RunningWorker, bucket, key};

/// Rows at once: each has a nats-server of its own.
const CONCURRENT_ROWS: usize = 4;

/// Later than the client's timeout, which has a second for these bytes.
const LATE: Duration = ANSWER.saturating_mul(10);

/// How a row ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// In the bucket, by the last attempt.
    Stored,
    /// In the bucket, by an earlier attempt or another writer.
    Mine,
    /// In the dead letters.
    Dead,
}

/// One fault.
struct Row {
    what: &'static str,
    faults: Vec<Fault>,
    prepare: fn(&mut ChunkReady),
    /// Other bytes are stored under the key.
    taken: bool,
    /// The server is down at first.
    down: bool,
    /// It is an outage: the worker pauses, and then the faults end.
    outage: bool,
    end: End,
    /// Puts of the chunk; in an outage the least number.
    puts: usize,
    /// Counted attempts.
    spent: u64,
    at_least: Duration,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            what: "",
            faults: Vec::new(),
            prepare: |_| {},
            taken: false,
            down: false,
            outage: false,
            end: End::Stored,
            puts: 1,
            spent: 0,
            at_least: Duration::ZERO,
        }
    }
}

/// Puts of chunks, and not of the probe.
fn puts(effect: Effect) -> Fault {
    Fault::new(effect).on_method("PUT").where_key(is_chunk)
}

fn is_chunk(key: &str) -> bool {
    key.starts_with("v1/")
}

/// Failures of the server that pass.
fn passing_faults() -> Vec<Row> {
    let second = Duration::from_secs(1);
    let passing = |what, effect, times, sent| Row {
        what,
        faults: vec![puts(effect).times(times)],
        puts: sent,
        ..Row::default()
    };
    vec![
        Row {
            what: "nothing",
            ..Row::default()
        },
        passing("503 twice", Effect::Status(503), 2, 3),
        Row {
            at_least: second * 2,
            ..passing(
                "429 twice with Retry-After",
                Effect::StatusRetryAfter(429, second),
                2,
                3,
            )
        },
        passing("408", Effect::Status(408), 1, 2),
        Row {
            // Four, then a successful probe; at the second delivery two more, and the seventh
            // succeeds.
            spent: 1,
            ..passing("500 six times", Effect::Status(500), 6, 7)
        },
        passing("409 where nothing is", Effect::Status(409), 1, 2),
        passing("412 where nothing is", Effect::Status(412), 1, 2),
        passing(
            "an answer that comes too late",
            Effect::DelayRequest(LATE),
            1,
            2,
        ),
        passing("a put that is not answered", Effect::BlackHole, 1, 2),
        passing("a reset in mid-body", Effect::ResetRequest(100_000), 1, 2),
        passing("a bit that flips on the way", Effect::FlipBit, 1, 2),
        Row {
            faults: vec![puts(Effect::StatusRetryAfter(503, second * 30)).times(1)],
            // Longer than a worker is held up: the worker waits, and not longer than its own limit,
            // which is 2 s here.
            what: "503 with a long Retry-After",
            puts: 2,
            spent: 1,
            at_least: second * 2,
            ..Row::default()
        },
    ]
}

/// Puts that succeeded without a successful answer.
fn ambiguous_faults() -> Vec<Row> {
    let committed = |what, effect| Row {
        what,
        faults: vec![puts(effect).times(1)],
        end: End::Mine,
        ..Row::default()
    };
    vec![
        committed("stored, and the answer lost", Effect::LoseResponse),
        committed("stored, and answered 503", Effect::CommitThenStatus(503)),
        committed("stored, and answered too late", Effect::DelayResponse(LATE)),
        Row {
            // The look-up fails too: the next attempt finds the object.
            faults: vec![
                puts(Effect::LoseResponse).times(1),
                Fault::new(Effect::Status(503)).on_method("HEAD").times(1),
            ],
            puts: 2,
            ..committed(
                "stored, the answer lost, and no answer to a question",
                Effect::LoseResponse,
            )
        },
    ]
}

/// Faults of every chunk.
fn outages() -> Vec<Row> {
    let outage = |what, effect| Row {
        what,
        faults: vec![Fault::new(effect)],
        outage: true,
        // One that fails, and one that succeeds.
        puts: 2,
        ..Row::default()
    };
    vec![
        outage("401", Effect::Status(401)),
        outage("403", Effect::Status(403)),
        outage("404, the bucket", Effect::Status(404)),
        outage("nobody pays for the bucket", Effect::BillingClosed),
        outage("503 for everything", Effect::Status(503)),
        outage("429 for everything", Effect::Status(429)),
        outage("500 for everything", Effect::Status(500)),
        outage("a black hole", Effect::BlackHole),
        Row {
            // The probe has a body too, since small requests succeed.
            faults: vec![Fault::new(Effect::ResetRequest(50_000)).on_method("PUT")],
            ..outage("every large body is reset", Effect::BlackHole)
        },
        Row {
            what: "refused connections",
            down: true,
            outage: true,
            ..Row::default()
        },
    ]
}

/// Faults that will not change.
fn permanent_faults() -> Vec<Row> {
    let dead = || Row {
        end: End::Dead,
        ..Row::default()
    };
    vec![
        Row {
            what: "9,000 bytes of metadata",
            prepare: |chunk| {
                let codec_string = "x".repeat(9000);
                chunk.video = Some(v1::VideoFormat {
                    codec_string,
                    ..Default::default()
                });
            },
            puts: 0,
            ..dead()
        },
        Row {
            what: "other bytes under the key",
            taken: true,
            ..dead()
        },
        Row {
            what: "a request that the store calls wrong",
            faults: vec![puts(Effect::Status(413))],
            ..dead()
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bucket_fault_has_its_outcome_without_loss_or_duplicate() {
    let rows = [
        passing_faults(),
        ambiguous_faults(),
        outages(),
        permanent_faults(),
    ];
    let failures =
        stream::iter(rows.into_iter().flatten().map(run)).buffer_unordered(CONCURRENT_ROWS);
    let wrong: Vec<String> = failures.filter_map(async |wrong| wrong).collect().await;
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Runs a row. Returns the difference from the expected outcome.
async fn run(row: Row) -> Option<String> {
    let fixture = RowFixture::new(&row).await;
    fixture.uploads.publish(&fixture.chunk).await;
    let begun = Instant::now();
    let mut worker = fixture.uploads.worker(&fixture.bucket).await;
    if row.outage {
        if !worker.pauses().await {
            let requests = fixture.server.requests();
            return Some(format!("{}: it does not pause\n  {requests:?}", row.what));
        }
        fixture.server.clear_faults();
        fixture.server.come_back();
    }
    fixture.uploads.until_count(Stream::Chunks, 0).await;
    let took = begun.elapsed();
    let (actual, expected, puts) = (
        fixture.outcome(worker).await,
        row.expected(),
        fixture.puts(),
    );
    let enough = match row.outage {
        true => puts >= row.puts,
        false => puts == row.puts,
    };
    (actual != expected || !enough || took < row.at_least).then(|| {
        let Row { what, puts: planned, .. } = row;
        let requests = fixture.server.requests();
        format!("{what}: {puts} puts in {took:?}, expected {planned}\n  actual   {actual:?}\n  expected {expected:?}\n  {requests:?}")
    })
}

/// The fixture of a row.
struct RowFixture {
    uploads: Fixture,
    server: GcsServer,
    bucket: Bucket,
    chunk: ChunkReady,
    /// Puts under its key before it was published.
    before: usize,
}

impl RowFixture {
    async fn new(row: &Row) -> Self {
        let (uploads, server) = (Fixture::new().await, GcsServer::start());
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n / 7) as u8).collect();
        let mut chunk = uploads.commit(0, &bytes);
        (row.prepare)(&mut chunk);
        let mut fixture = Self {
            bucket: bucket(&server),
            uploads,
            server,
            chunk,
            before: 0,
        };
        if row.taken {
            let other = &b"another writer's"[..];
            let (key, sums, none) = (key(&fixture.chunk), Checksums::new(other), Metadata::new());
            let put = fixture.bucket.put_once(&key, other.into(), &sums, &none);
            let _ = put.await.unwrap();
        }
        fixture.before = fixture.puts();
        let faults = row.faults.iter();
        faults.for_each(|fault| fixture.server.inject(fault.clone()));
        if row.down {
            fixture.server.go_down();
        }
        fixture
    }

    /// Puts of the chunk that arrived.
    fn puts(&self) -> usize {
        let (key, requests) = (key(&self.chunk), self.server.requests());
        let puts = requests
            .iter()
            .filter(|asked| asked.method == "PUT" && asked.key.as_deref() == Some(&key));
        puts.count() - self.before
    }

    async fn outcome(&self, mut worker: RunningWorker) -> Outcome {
        let paused = worker.has_paused();
        let spent = worker.stop().await.retried;
        let sums = Checksums::from_parts(self.chunk.crc32c, &self.chunk.sha256).unwrap();
        let key = key(&self.chunk);
        let found = self.bucket.lookup(&key, self.chunk.size, &sums.sha256);
        let uploaded = self.uploads.count(Stream::Uploaded).await;
        let events = self.uploads.events(uploaded as usize).await;
        let counts = self.server.counts();
        Outcome {
            ours: matches!(found.await.unwrap(), Lookup::Mine { .. }),
            already: events.iter().map(|event| event.already_there).collect(),
            dead: self.uploads.count(Stream::Dead).await,
            created: counts.created,
            overwritten: counts.overwritten,
            spent,
            deliveries: self.uploads.deliveries().await,
            paused,
        }
    }
}

/// The observable outcome of a row.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// These bytes are stored under the key.
    ours: bool,
    /// `already_there` of the events.
    already: Vec<bool>,
    dead: u64,
    created: u64,
    overwritten: u64,
    spent: u64,
    deliveries: u64,
    /// The worker paused.
    paused: bool,
}

impl Row {
    fn expected(&self) -> Outcome {
        let dead = self.end == End::Dead;
        let already = match self.end {
            End::Stored => vec![false],
            End::Mine => vec![true],
            End::Dead => vec![],
        };
        Outcome {
            ours: !dead,
            already,
            dead: dead.into(),
            created: (!dead || self.taken).into(),
            overwritten: 0,
            spent: self.spent,
            deliveries: 1 + self.spent,
            paused: self.outage,
        }
    }
}
