//! The handler alone: what a delivery does, and what a second one finds.

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

use crate::ground::{Ground, key};

const BYTES: &[u8] = b"not video, and the uploader does not care";

/// A committed chunk, and an uploader that is about to be handed it.
struct Scene {
    ground: Ground,
    bucket: Bucket,
    handler: UploadHandler,
    chunk: ChunkReady,
    key: String,
}

impl Scene {
    async fn open() -> Self {
        let ground = Ground::new().await;
        let chunk = ground.commit(0, BYTES);
        let bucket = Bucket::open("memory://").unwrap();
        Self {
            handler: ground.upload(&bucket).await,
            key: key(&chunk),
            ground,
            bucket,
            chunk,
        }
    }

    /// Hands the chunk over for the `n`th time.
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
        assert!(self.ground.spool.free(&id).unwrap());
    }

    /// The first events: whether the object was there already.
    async fn events(&self, count: usize) -> Vec<bool> {
        let events = self.ground.events(count).await;
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
    let scene = Scene::open().await;
    scene.deliver(1).await.unwrap();
    assert_eq!(scene.events(1).await, [false]);
    let head = scene.bucket.head(&scene.key).await.unwrap();
    assert_eq!(head.size, scene.chunk.size);
    assert_eq!(head.metadata.get("camera"), Some("front"));
    assert_eq!(head.metadata.get("duration"), Some("3.000000"));
}

#[tokio::test]
async fn a_second_delivery_stores_nothing_and_announces_again() {
    let scene = Scene::open().await;
    scene.deliver(1).await.unwrap();
    scene.deliver(2).await.unwrap();
    assert_eq!(scene.events(2).await, [false, true]);
}

#[tokio::test]
async fn a_freed_chunk_is_looked_up_before_it_is_gone() {
    let scene = Scene::open().await;
    scene.deliver(1).await.unwrap();
    scene.free();
    // As if it had never been delivered before: the spool is asked first, and has nothing.
    scene.deliver(1).await.unwrap();
    scene.deliver(2).await.unwrap();
}

#[tokio::test]
async fn a_lost_chunk_is_rejected() {
    let scene = Scene::open().await;
    scene.free();
    let outcome = scene.deliver(1).await;
    assert!(
        matches!(&outcome, Err(fault) if *fault.kind() == Kind::Rejected),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn other_bytes_under_the_key_are_rejected_and_stay() {
    let scene = Scene::open().await;
    let other = &b"somebody else's"[..];
    let (sums, none) = (Checksums::new(other), Metadata::new());
    let _ = scene
        .bucket
        .put_once(&scene.key, other.into(), &sums, &none)
        .await
        .unwrap();
    for delivery in [1, 2] {
        let outcome = scene.deliver(delivery).await;
        assert!(
            matches!(&outcome, Err(fault) if *fault.kind() == Kind::Rejected),
            "{outcome:?}"
        );
    }
    let size = other.len() as u64;
    assert_eq!(
        scene.bucket.get_range(&scene.key, 0..size).await.unwrap(),
        other
    );
}

#[tokio::test]
async fn a_spool_of_another_host_delays_only_its_chunks() {
    let mut scene = Scene::open().await;
    scene.chunk.spool_id = "somewhere-else".into();
    match scene.deliver(1).await {
        Err(fault) => assert_eq!(
            fault.dependency(),
            Some(&Dependency {
                id: DependencyId::Spool("somewhere-else".into()),
                shared: false,
                retry_after: None,
            })
        ),
        Ok(()) => panic!("handled"),
    }
}

#[tokio::test]
async fn a_run_state_is_stored_once() {
    let scene = Scene::open().await;
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
        scene
            .handler
            .handle(message, &Delivery::default())
            .await
            .unwrap();
    }
    let key = crispy_proto::id::run_state_key(&state).unwrap();
    assert!(scene.bucket.head(&key).await.unwrap().size > 0);
}
