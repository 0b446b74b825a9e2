//! The handler against a real bucket, a real queue and real video.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic with its line is the best report"
)]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use crispy_bucket::{Bucket, BucketOptions, Metadata};
use crispy_checksum::Checksums;
use crispy_fault::{Dependency, DependencyId};
use crispy_inspector::testing::{self, InspectHandler};
use crispy_jetstream::{ConnectOptions, Delivery, Limits, Summary, WorkerState};
use crispy_media::{Chunks, OpenOptions};
use crispy_proto::{
    id::ChunkId,
    v1::{self, CameraEvent, ChunkInspected, ChunkReady, ChunkUploaded, camera_event::Kind},
};
use crispy_queue::{
    Connection, Handler, Message, Reader, Stage, StartAt, Stream, Worker, WorkerConfig, topology,
};
use crispy_testbed::{
    GcsServer, NatsServer, clips,
    gcs::{Effect, Fault},
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const OBJECT: &str = "v1/demo/front/chunk.mp4";

/// A chunk, its descriptor, and the handler of an inspector.
struct Fixture {
    _server: NatsServer,
    connection: Connection,
    handler: InspectHandler,
    bucket: Bucket,
    bytes: Bytes,
    descriptor: ChunkReady,
}

impl Fixture {
    async fn new() -> Self {
        Self::with_bucket(Bucket::open("memory://").unwrap()).await
    }

    async fn with_bucket(bucket: Bucket) -> Self {
        let server = NatsServer::start();
        let options = ConnectOptions {
            servers: server.url(),
            ..ConnectOptions::default()
        };
        let connection = crispy_queue::connect(&options, &crispy_queue::Prefix::default())
            .await
            .unwrap();
        let plan = topology::plan(&connection, None, false).await.unwrap();
        plan.apply().await.unwrap();
        let handler = testing::handler(&connection, bucket.clone()).await;
        let (bytes, descriptor) = chunk();
        Self {
            _server: server,
            connection,
            handler,
            bucket,
            bytes,
            descriptor,
        }
    }

    /// Starts a worker, and publishes this event.
    async fn work(self, event: &ChunkUploaded) -> RunningWorker {
        let camera = ChunkId::from_wire(self.descriptor.id.as_ref())
            .unwrap()
            .camera;
        let subject = self.connection.subjects().uploaded(&camera);
        let publisher = self.connection.publisher().await;
        publisher.publish(subject, "up:demo", event).await.unwrap();
        let config = WorkerConfig {
            limits: Limits {
                retries: 3,
                retry_period: Duration::ZERO,
                first_delay: Duration::from_millis(20),
                probe_interval: Duration::from_millis(50),
                dead_letter_timeout: Duration::from_secs(10),
                ..Limits::default()
            },
            ..WorkerConfig::new(Stage::Inspector)
        };
        let worker = Worker::bind(&self.connection, config).await.unwrap();
        let (stop, state) = (CancellationToken::new(), worker.state());
        RunningWorker {
            task: tokio::spawn(worker.run(Arc::new(self.handler), stop.clone())),
            stop,
            state,
            connection: self.connection,
            _server: self._server,
        }
    }

    async fn put(&self, bytes: Bytes) {
        let (sums, metadata) = (Checksums::new(&bytes), Metadata::new());
        let _ = self
            .bucket
            .put_once(OBJECT, bytes, &sums, &metadata)
            .await
            .unwrap();
    }

    fn event(&self) -> ChunkUploaded {
        ChunkUploaded {
            chunk: Some(self.descriptor.clone()),
            bucket: self.bucket.url().to_owned(),
            object: OBJECT.into(),
            ..Default::default()
        }
    }

    async fn handle(&self, event: ChunkUploaded) -> Result<(), crispy_fault::Fault> {
        let delivery = Delivery {
            message_id: Some("up:demo".into()),
            ..Default::default()
        };
        self.handler.handle(event, &delivery).await
    }

    async fn first<M: Message>(&self, stream: Stream) -> M {
        let mut reader = Reader::open(&self.connection, stream, StartAt::Oldest, &[])
            .await
            .unwrap();
        let next = tokio::time::timeout(Duration::from_secs(10), reader.next::<M>());
        next.await
            .expect("it was published")
            .expect("it can be read")
            .message
    }
}

/// A running inspector.
struct RunningWorker {
    task: JoinHandle<Summary>,
    stop: CancellationToken,
    state: watch::Receiver<WorkerState>,
    connection: Connection,
    _server: NatsServer,
}

impl RunningWorker {
    async fn until_there_is_one(&self, stream: Stream) {
        let one = async {
            while self.connection.messages(stream).await.unwrap() == 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, one).await.unwrap();
    }

    async fn stop(self) -> Summary {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }
}

/// The simulator's bucket, with short timeouts.
fn bucket(server: &GcsServer) -> Bucket {
    let options = BucketOptions::new().with_variable("STORAGE_EMULATOR_HOST", server.url());
    let options = options.with_option("answer_timeout=500ms").unwrap();
    let options = options.with_option("connect_timeout=500ms").unwrap();
    Bucket::open_with(&format!("gs://{}", GcsServer::BUCKET), &options).unwrap()
}

/// The first chunk of a small clip, and its descriptor.
fn chunk() -> (Bytes, ChunkReady) {
    let clip = clips::h264(4.0).make();
    let options = OpenOptions::new(clip.to_str().unwrap(), Duration::from_secs(3));
    let chunk = Chunks::open(&options)
        .unwrap()
        .next_chunk()
        .unwrap()
        .expect("a chunk");
    let id = v1::ChunkId {
        site: "demo".into(),
        camera: "front".into(),
        run: "0".repeat(26),
        sequence: 0,
    };
    let video = v1::VideoFormat {
        codec: chunk.format.codec.name().into(),
        width: chunk.format.width,
        height: chunk.format.height,
        channels: chunk.format.channels,
        ..Default::default()
    };
    let descriptor = ChunkReady {
        id: Some(id),
        video: Some(video),
        size: chunk.bytes.len() as u64,
        packets: chunk.cut.packets.into(),
        frames: chunk.cut.frames.into(),
        duration_us: chunk.cut.timebase.microseconds(chunk.cut.duration_ticks()),
        content_type: chunk.container.content_type().into(),
        ..Default::default()
    };
    (chunk.bytes.into(), descriptor)
}

#[tokio::test]
async fn a_good_object_agrees_after_a_few_range_reads() {
    let fixture = Fixture::new().await;
    fixture.put(fixture.bytes.clone()).await;
    fixture.handle(fixture.event()).await.unwrap();
    let inspected: ChunkInspected = fixture.first(Stream::Inspected).await;
    assert!(inspected.agrees, "{:?}", inspected.disagreements);
    assert_eq!(inspected.packets, Some(fixture.descriptor.packets));
    assert_eq!(inspected.duration_us, fixture.descriptor.duration_us);
    assert!(inspected.reads <= 2 && inspected.bytes_read <= 64 * 1024);
}

#[tokio::test]
async fn a_difference_is_reported_by_field_and_event() {
    let mut fixture = Fixture::new().await;
    fixture.put(fixture.bytes.clone()).await;
    fixture.descriptor.packets += 1;
    fixture.handle(fixture.event()).await.unwrap();
    let inspected: ChunkInspected = fixture.first(Stream::Inspected).await;
    let fields: Vec<&str> = inspected
        .disagreements
        .iter()
        .map(|d| d.field.as_str())
        .collect();
    assert_eq!((inspected.agrees, fields), (false, vec!["packets"]));
    let event: CameraEvent = fixture.first(Stream::Events).await;
    assert_eq!(event.kind, Some(Kind::Disagreement(inspected)));
    assert!(event.detail.starts_with("packets: expected"));
}

#[tokio::test]
async fn a_truncated_object_disagrees() {
    let fixture = Fixture::new().await;
    fixture
        .put(fixture.bytes.slice(..fixture.bytes.len() / 2))
        .await;
    fixture.handle(fixture.event()).await.unwrap();
    let inspected: ChunkInspected = fixture.first(Stream::Inspected).await;
    assert!(!inspected.agrees);
    assert_eq!(inspected.disagreements[0].field, "container");
}

#[tokio::test]
async fn an_absent_object_is_retried() {
    let fixture = Fixture::new().await;
    let fault = fixture.handle(fixture.event()).await.unwrap_err();
    assert!(fault.is_transient(), "{fault:?}");
}

#[tokio::test]
async fn an_unknown_bucket_is_not_read_and_delays_only_its_objects() {
    let fixture = Fixture::new().await;
    let elsewhere = ChunkUploaded {
        bucket: "file:///etc".into(),
        ..fixture.event()
    };
    let fault = fixture.handle(elsewhere).await.unwrap_err();
    let bucket = Dependency {
        id: DependencyId::Bucket("file:///etc".into()),
        shared: false,
        retry_after: None,
    };
    assert_eq!(fault.dependency(), Some(&bucket));
}

#[tokio::test]
async fn a_moved_bucket_is_known_by_its_bytes() {
    let fixture = Fixture::new().await;
    fixture.put(fixture.bytes.clone()).await;
    let moved = ChunkUploaded {
        bucket: "file:///before".into(),
        size: fixture.descriptor.size,
        sha256: Checksums::new(&fixture.bytes).sha256.to_vec(),
        ..fixture.event()
    };
    fixture.handle(moved).await.unwrap();
    let inspected: ChunkInspected = fixture.first(Stream::Inspected).await;
    assert!(inspected.agrees);
    assert_eq!(inspected.upload.unwrap().bucket, fixture.bucket.url());
}

#[tokio::test]
async fn a_bucket_outage_costs_no_attempt() {
    for effect in [Effect::Status(503), Effect::BlackHole] {
        let server = GcsServer::start();
        let fixture = Fixture::with_bucket(bucket(&server)).await;
        fixture.put(fixture.bytes.clone()).await;
        let event = fixture.event();
        server.inject(Fault::new(effect));
        let mut worker = fixture.work(&event).await;
        let waits = worker.state.wait_for(|state| !state.available);
        assert!(timeout(PATIENCE, waits).await.is_ok(), "{effect:?}");
        server.clear_faults();
        worker.until_there_is_one(Stream::Inspected).await;
        assert_eq!(worker.connection.messages(Stream::Dead).await.unwrap(), 0);
        let summary = worker.stop().await;
        let (handled, spent) = (summary.handled, summary.retried);
        assert_eq!((handled, spent), (1, 0), "{effect:?}");
    }
}

#[tokio::test]
async fn an_object_that_always_fails_is_no_outage() {
    let server = GcsServer::start();
    let fixture = Fixture::with_bucket(bucket(&server)).await;
    fixture.put(fixture.bytes.clone()).await;
    let event = fixture.event();
    server.inject(Fault::new(Effect::Status(500)).where_key(|key| key == OBJECT));
    let mut worker = fixture.work(&event).await;
    worker.state.mark_unchanged();
    worker.until_there_is_one(Stream::Dead).await;
    assert!(!worker.state.has_changed().unwrap(), "it paused");
    assert_eq!(worker.stop().await.dead_lettered, 1);
}
