//! The handler against a real bucket, a real queue and real video.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic with its line is the best report"
)]

use std::time::Duration;

use bytes::Bytes;
use inspector::inspect::Inspect;
use media::{Chunks, Spec};
use proto::v1::{
    self, CameraEvent, ChunkId, ChunkInspected, ChunkReady, ChunkUploaded, camera_event::Kind,
};
use queue::{
    Cause, ConnectOptions, Connection, Delivery, Failure, From, Handler, Message, Reader, Stream,
    topology,
};
use store::{
    Checksums,
    bucket::{Bucket, Metadata},
};
use testbed::{NatsServer, clips};

const OBJECT: &str = "v1/demo/front/chunk.mp4";

/// A chunk, its descriptor, and an inspector that is about to hear of it.
struct Scene {
    _server: NatsServer,
    connection: Connection,
    inspect: Inspect,
    bucket: Bucket,
    bytes: Bytes,
    descriptor: ChunkReady,
}

impl Scene {
    async fn open() -> Self {
        let server = NatsServer::start();
        let options = ConnectOptions {
            servers: server.url(),
            ..ConnectOptions::default()
        };
        let connection = queue::connect(&options).await.unwrap();
        let plan = topology::plan(&connection, None, false).await.unwrap();
        plan.apply().await.unwrap();
        let bucket = Bucket::open("memory://").unwrap();
        let inspect = Inspect {
            buckets: vec![bucket.clone()],
            publisher: connection.publisher().await,
            subjects: connection.subjects(),
            producer: v1::Producer::default(),
        };
        let (bytes, descriptor) = chunk();
        Self {
            _server: server,
            connection,
            inspect,
            bucket,
            bytes,
            descriptor,
        }
    }

    async fn put(&self, bytes: Bytes) {
        let (sums, metadata) = (Checksums::of(&bytes), Metadata::new());
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

    async fn handle(&self, event: ChunkUploaded) -> Result<(), Failure> {
        let delivery = Delivery {
            message_id: Some("up:demo".into()),
            ..Default::default()
        };
        self.inspect.handle(event, &delivery).await
    }

    async fn first<M: Message>(&self, stream: Stream) -> M {
        let mut reader = Reader::open(&self.connection, stream, From::Start, &[])
            .await
            .unwrap();
        let next = tokio::time::timeout(Duration::from_secs(10), reader.next::<M>());
        next.await
            .expect("it was published")
            .expect("it can be read")
            .message
    }
}

/// The first chunk of a small clip, and what there is to say of it.
fn chunk() -> (Bytes, ChunkReady) {
    let clip = clips::h264(4.0).make();
    let spec = Spec::new(clip.to_str().unwrap(), Duration::from_secs(3));
    let chunk = Chunks::open(&spec)
        .unwrap()
        .next_chunk()
        .unwrap()
        .expect("a chunk");
    let id = ChunkId {
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
async fn a_good_object_is_known_from_a_few_ranges_and_agrees() {
    let scene = Scene::open().await;
    scene.put(scene.bytes.clone()).await;
    scene.handle(scene.event()).await.unwrap();
    let inspected: ChunkInspected = scene.first(Stream::Inspected).await;
    assert!(inspected.agrees, "{:?}", inspected.disagreements);
    assert_eq!(inspected.packets, Some(scene.descriptor.packets));
    assert_eq!(inspected.duration_us, scene.descriptor.duration_us);
    assert!(inspected.reads <= 2 && inspected.bytes_read <= 64 * 1024);
}

#[tokio::test]
async fn an_object_that_differs_is_reported_by_field_and_as_an_event() {
    let mut scene = Scene::open().await;
    scene.put(scene.bytes.clone()).await;
    scene.descriptor.packets += 1;
    scene.handle(scene.event()).await.unwrap();
    let inspected: ChunkInspected = scene.first(Stream::Inspected).await;
    let fields: Vec<&str> = inspected
        .disagreements
        .iter()
        .map(|d| d.field.as_str())
        .collect();
    assert_eq!((inspected.agrees, fields), (false, vec!["packets"]));
    let event: CameraEvent = scene.first(Stream::Events).await;
    assert_eq!(event.kind, Some(Kind::Disagreement(inspected)));
    assert!(event.detail.starts_with("packets: expected"));
}

#[tokio::test]
async fn an_object_that_lost_its_end_disagrees() {
    let scene = Scene::open().await;
    scene.put(scene.bytes.slice(..scene.bytes.len() / 2)).await;
    scene.handle(scene.event()).await.unwrap();
    let inspected: ChunkInspected = scene.first(Stream::Inspected).await;
    assert!(!inspected.agrees);
    assert_eq!(inspected.disagreements[0].field, "container");
}

#[tokio::test]
async fn an_object_that_is_not_there_is_tried_again() {
    let scene = Scene::open().await;
    let outcome = scene.handle(scene.event()).await;
    assert!(matches!(outcome, Err(Failure::Retry(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_bucket_that_only_the_event_names_is_not_read_and_holds_up_nobody() {
    let scene = Scene::open().await;
    let elsewhere = ChunkUploaded {
        bucket: "file:///etc".into(),
        ..scene.event()
    };
    match scene.handle(elsewhere).await {
        Err(Failure::Unavailable(Cause::Owner(bucket), _)) => assert_eq!(bucket, "file:///etc"),
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn a_bucket_that_was_moved_is_known_by_its_bytes() {
    let scene = Scene::open().await;
    scene.put(scene.bytes.clone()).await;
    let moved = ChunkUploaded {
        bucket: "file:///before".into(),
        size: scene.descriptor.size,
        sha256: Checksums::of(&scene.bytes).sha256.to_vec(),
        ..scene.event()
    };
    scene.handle(moved).await.unwrap();
    let inspected: ChunkInspected = scene.first(Stream::Inspected).await;
    assert!(inspected.agrees);
    assert_eq!(inspected.upload.unwrap().bucket, scene.bucket.url());
}
