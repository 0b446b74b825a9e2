//! The handler alone: first deliveries, and repeated ones.

use crispy_bucket::{Bucket, Metadata};
use crispy_checksum::Checksums;
use crispy_fault::{Dependency, DependencyId, Fault, Kind};
use crispy_jetstream::Delivery;
use crispy_proto::{
    id::ChunkId,
    v1::{ChunkReady, RunState},
};
use crispy_queue::Handler;
use crispy_uploader::testing::{ChunkMessage, UploadHandler};

use crate::fixture::{Fixture, key};

const BYTES: &[u8] = b"no video, but any bytes will do";

/// A committed chunk, and the handler of an uploader.
struct HandlerFixture {
    fixture: Fixture,
    bucket: Bucket,
    handler: UploadHandler,
    chunk: ChunkReady,
    key: String,
}

impl HandlerFixture {
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let chunk = fixture.commit(0, BYTES);
        let bucket = Bucket::open("memory://").unwrap();
        Self {
            handler: fixture.upload(&bucket).await,
            key: key(&chunk),
            fixture,
            bucket,
            chunk,
        }
    }

    /// Delivers the chunk for the `n`th time.
    async fn deliver(&self, n: u64) -> Result<(), Fault> {
        let message_id = Some(format!("sending-{n}"));
        let delivery = Delivery {
            message_id,
            deliveries: n,
            ..Default::default()
        };
        let message = ChunkMessage::Chunk(Box::new(self.chunk.clone()));
        self.handler.handle(message, &delivery).await
    }

    fn free(&self) {
        let id = ChunkId::from_wire(self.chunk.id.as_ref()).unwrap();
        assert!(self.fixture.spool.free(&id).unwrap());
    }

    /// `already_there` of the first events.
    async fn events(&self, count: usize) -> Vec<bool> {
        let events = self.fixture.events(count).await;
        let found = events.into_iter().map(|event| {
            assert_eq!(
                (event.size, &event.sha256),
                (self.chunk.size, &self.chunk.sha256)
            );
            event.already_there
        });
        found.collect()
    }
}

#[tokio::test]
async fn a_chunk_is_stored_with_metadata_and_announced() {
    let fixture = HandlerFixture::new().await;
    fixture.deliver(1).await.unwrap();
    assert_eq!(fixture.events(1).await, [false]);
    let head = fixture.bucket.head(&fixture.key).await.unwrap();
    assert_eq!(head.size, fixture.chunk.size);
    assert_eq!(head.metadata.get("camera"), Some("front"));
    assert_eq!(head.metadata.get("duration"), Some("3.000000"));
}

#[tokio::test]
async fn a_second_delivery_stores_nothing_and_announces_again() {
    let fixture = HandlerFixture::new().await;
    fixture.deliver(1).await.unwrap();
    fixture.deliver(2).await.unwrap();
    assert_eq!(fixture.events(2).await, [false, true]);
}

#[tokio::test]
async fn a_freed_chunk_is_looked_up_before_it_is_gone() {
    let fixture = HandlerFixture::new().await;
    fixture.deliver(1).await.unwrap();
    fixture.free();
    // As a first delivery: the spool is read first, and has no bytes.
    fixture.deliver(1).await.unwrap();
    fixture.deliver(2).await.unwrap();
}

#[tokio::test]
async fn a_lost_chunk_is_rejected() {
    let fixture = HandlerFixture::new().await;
    fixture.free();
    let fault = fixture.deliver(1).await.unwrap_err();
    assert_eq!(*fault.kind(), Kind::NotFound, "{fault:?}");
}

#[tokio::test]
async fn other_bytes_under_the_key_are_rejected_and_stay() {
    let fixture = HandlerFixture::new().await;
    let other = &b"another writer's"[..];
    let (sums, none) = (Checksums::new(other), Metadata::new());
    let _ = fixture
        .bucket
        .put_once(&fixture.key, other.into(), &sums, &none)
        .await
        .unwrap();
    for delivery in [1, 2] {
        let fault = fixture.deliver(delivery).await.unwrap_err();
        assert_eq!(*fault.kind(), Kind::Conflict, "{fault:?}");
    }
    let size = other.len() as u64;
    assert_eq!(
        fixture
            .bucket
            .get_range(&fixture.key, 0..size)
            .await
            .unwrap(),
        other
    );
}

#[tokio::test]
async fn a_spool_of_another_host_delays_only_its_chunks() {
    let mut fixture = HandlerFixture::new().await;
    fixture.chunk.spool_id = "somewhere-else".into();
    let fault = fixture.deliver(1).await.unwrap_err();
    let spool = Dependency {
        id: DependencyId::Spool("somewhere-else".into()),
        shared: false,
        retry_after: None,
    };
    assert_eq!(fault.dependency(), Some(&spool));
}

#[tokio::test]
async fn a_run_state_is_stored_once() {
    let fixture = HandlerFixture::new().await;
    let state = RunState {
        site: "demo".into(),
        camera: "front".into(),
        run: "0".repeat(26),
        next_sequence: 1,
        ended: true,
        ..Default::default()
    };
    for written_us in [1, 2] {
        let message = ChunkMessage::Run(Box::new(RunState {
            written_us,
            ..state.clone()
        }));
        fixture
            .handler
            .handle(message, &Delivery::default())
            .await
            .unwrap();
    }
    let key = crispy_proto::id::run_state_key(&state).unwrap();
    assert!(fixture.bucket.head(&key).await.unwrap().size > 0);
}
