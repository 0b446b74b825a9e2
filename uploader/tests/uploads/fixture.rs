//! The fixture of uploads: a queue, a spool with chunks, uploaders of this process.

use std::{sync::Arc, time::Duration};

use crispy_bucket::{Bucket, BucketOptions};
use crispy_checksum::Checksums;
use crispy_jetstream::{ConnectOptions, Limits, Summary, WorkerState};
use crispy_proto::{
    id::{ChunkId, ObjectKey},
    v1::{self, ChunkReady, ChunkUploaded},
};
use crispy_queue::{
    Connection, Reader, Stage, StartAt, Stream, Worker, WorkerConfig, message_id, topology,
};
use crispy_spool::Spool;
use crispy_testbed::{GcsServer, NatsServer};
use crispy_uploader::testing::{self, UploadHandler};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The timeouts of the tests' buckets, to connect and then to answer.
pub(crate) const ANSWER: Duration = Duration::from_millis(500);

/// A queue with its streams, and a spool.
pub(crate) struct Fixture {
    pub(crate) server: NatsServer,
    pub(crate) connection: Connection,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) spool: Spool,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let server = NatsServer::start();
        let connection = connect(&server).await;
        let plan = topology::plan(&connection, None, false).await.unwrap();
        plan.apply().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        Self {
            server,
            connection,
            folder,
            spool,
        }
    }

    /// Commits these bytes as a chunk.
    pub(crate) fn commit(&self, sequence: u64, bytes: &[u8]) -> ChunkReady {
        let sums = Checksums::new(bytes);
        let id: ChunkId = format!("demo/front/{}/{sequence:010}", "0".repeat(26))
            .parse()
            .unwrap();
        let start_us = 1_763_839_803_000_000 + sequence as i64 * 3_000_000;
        let chunk = ChunkReady {
            id: Some(id.to_wire()),
            wall: Some(v1::WallInterval {
                start_us,
                end_us: start_us + 3_000_000,
                ..Default::default()
            }),
            duration_us: 3_000_000,
            container: v1::Container::Mp4.into(),
            size: bytes.len() as u64,
            crc32c: sums.crc32c,
            sha256: sums.sha256.to_vec(),
            spool_id: self.spool.id().as_str().to_owned(),
            ..Default::default()
        };
        let _ = self.spool.commit(&chunk, bytes).unwrap();
        chunk
    }

    pub(crate) async fn publish(&self, chunk: &ChunkReady) {
        let camera = ChunkId::from_wire(chunk.id.as_ref()).unwrap().camera;
        let subject = self.connection.subjects().chunks(&camera);
        let publisher = self.connection.publisher().await;
        let id = message_id::ready(chunk);
        publisher.publish(subject, &id, chunk).await.unwrap();
    }

    /// The handler, on a connection of its own, as in another process.
    pub(crate) async fn upload(&self, bucket: &Bucket) -> UploadHandler {
        let connection = connect(&self.server).await;
        let spools = [self.folder.path().to_owned()];
        testing::handler(&connection, bucket.clone(), &spools).await
    }

    /// A worker with the handler, with pauses short enough for a test.
    pub(crate) async fn worker(&self, bucket: &Bucket) -> RunningWorker {
        let upload = Arc::new(self.upload(bucket).await);
        let config = WorkerConfig {
            limits: Limits {
                retries: 3,
                retry_period: Duration::ZERO,
                first_delay: Duration::from_millis(20),
                longest_delay: Duration::from_secs(2),
                probe_interval: Duration::from_millis(50),
                dead_letter_timeout: Duration::from_secs(10),
                ..Limits::default()
            },
            grace: Duration::from_secs(5),
            ..WorkerConfig::new(Stage::Uploader)
        };
        let worker = Worker::bind(&self.connection, config).await.unwrap();
        let (stop, state) = (CancellationToken::new(), worker.state());
        RunningWorker {
            task: tokio::spawn(worker.run(upload, stop.clone())),
            stop,
            state,
        }
    }

    /// The first events, in order.
    pub(crate) async fn events(&self, count: usize) -> Vec<ChunkUploaded> {
        let reader = Reader::open(&self.connection, Stream::Uploaded, StartAt::Oldest, &[]);
        let mut reader = reader.await.unwrap();
        let mut found = Vec::new();
        while found.len() < count {
            let next = timeout(PATIENCE, reader.next::<ChunkUploaded>()).await;
            found.push(next.expect("it was published").unwrap().message);
        }
        found
    }

    /// Messages of a stream.
    pub(crate) async fn count(&self, stream: Stream) -> u64 {
        self.connection.messages(stream).await.unwrap()
    }

    pub(crate) async fn until_count(&self, stream: Stream, count: u64) {
        eventually(async || self.count(stream).await == count).await;
    }

    /// Deliveries to uploaders so far, redeliveries included.
    pub(crate) async fn deliveries(&self) -> u64 {
        let name = Stream::Chunks.name(self.connection.prefix());
        let stream = self.connection.jetstream().get_stream(name).await.unwrap();
        let info = stream.consumer_info("uploader").await.unwrap();
        info.delivered.consumer_sequence
    }
}

/// A running worker.
pub(crate) struct RunningWorker {
    task: JoinHandle<Summary>,
    stop: CancellationToken,
    state: watch::Receiver<WorkerState>,
}

impl RunningWorker {
    /// Waits until the worker pauses for the bucket; false if it never does.
    pub(crate) async fn pauses(&mut self) -> bool {
        let waits = self.state.wait_for(|state| !state.available);
        timeout(PATIENCE, waits).await.is_ok()
    }

    /// Whether it pauses for the bucket, or has paused since the last call.
    pub(crate) fn has_paused(&mut self) -> bool {
        self.state.has_changed().unwrap()
    }

    pub(crate) async fn stop(self) -> Summary {
        self.stop.cancel();
        let summary = timeout(PATIENCE, self.task).await;
        summary.expect("the worker stops").unwrap()
    }
}

async fn connect(server: &NatsServer) -> Connection {
    let options = ConnectOptions {
        servers: server.url(),
        ..ConnectOptions::default()
    };
    crispy_queue::connect(&options, &crispy_queue::Prefix::default())
        .await
        .unwrap()
}

/// The simulator's bucket, with short timeouts.
pub(crate) fn bucket(server: &GcsServer) -> Bucket {
    let mut options = BucketOptions::new().with_variable("STORAGE_EMULATOR_HOST", server.url());
    for limit in ["connect_timeout", "answer_timeout"] {
        let option = format!("{limit}={}ms", ANSWER.as_millis());
        options = options.with_option(&option).unwrap();
    }
    Bucket::open_with(&bucket_url(), &options).unwrap()
}

pub(crate) fn bucket_url() -> String {
    format!("gs://{}", GcsServer::BUCKET)
}

pub(crate) fn key(chunk: &ChunkReady) -> String {
    ObjectKey::from_descriptor(chunk).unwrap().to_string()
}

/// Waits until something is so.
pub(crate) async fn eventually(mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "it never came about");
        sleep(Duration::from_millis(5)).await;
    }
}
