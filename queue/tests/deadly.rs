//! A message that kills every process that handles it: it is given up after as many deaths as are promised, and those beside it are not.
//!
//! This test is a program of its own (`harness = false`), since it starts itself as the worker that dies.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]
#![allow(clippy::print_stdout, reason = "the parent is its own test harness")]

use std::{
    env,
    process::{self, Child, Command, ExitStatus},
    sync::Arc,
    time::Duration,
};

use async_nats::jetstream::consumer::{AckPolicy, pull};
use crispy_queue::{
    self as queue, ConnectOptions, Connection, Delivery, Failure, Handler, Stage, Stream, Worker,
    WorkerConfig, message_id, topology,
};
use prost::Message as _;
use proto::{
    id::{ChunkId, Run},
    v1::{ChunkReady, DeadLetter, dead_letter::Kind},
};
use testbed::NatsServer;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The chunk that kills.
const CULPRIT: u64 = 2;

/// Chunks, all handled at once.
const CHUNKS: u64 = 6;

/// Deaths until it is given up: four deliveries without a mark, and three with one.
const DEATHS: usize = 7;

/// Short, so that what a dead worker held comes again soon.
const LEASE: Duration = Duration::from_millis(300);

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    if let [_, role, url] = &arguments[..]
        && role == "work-until-dead"
    {
        runtime.block_on(work(url));
        return;
    }
    runtime.block_on(what_kills_its_workers_is_given_up_and_takes_nobody_with_it());
    println!("deadly: 1 claim holds");
}

async fn what_kills_its_workers_is_given_up_and_takes_nobody_with_it() {
    let server = NatsServer::start();
    let connection = connect(&server.url()).await;
    let plan = topology::plan(&connection, None, false).await.unwrap();
    plan.apply().await.unwrap();
    lease(&connection).await;
    let publisher = connection.publisher().await;
    for sequence in 0..CHUNKS {
        let (subject, chunk) = (connection.subjects().chunks(&camera()), chunk(sequence));
        let id = message_id::ready(&chunk);
        publisher.publish(subject, &id, &chunk).await.unwrap();
    }

    let mut deaths = 0;
    loop {
        let mut worker = Worked(start(&server.url()));
        match worker.until_dead_or_done(&connection).await {
            None => break,
            Some(status) => assert!(!status.success() && status.code().is_none(), "{status}"),
        }
        deaths += 1;
        assert!(deaths <= DEATHS, "{deaths} workers died");
    }
    assert_eq!(deaths, DEATHS);
    assert_eq!(connection.messages(Stream::Dead).await.unwrap(), 1);
    assert_eq!(connection.messages(Stream::Suspects).await.unwrap(), 0);
    let letter = dead_letter(&connection).await;
    assert_eq!(letter.kind(), Kind::CrashGuard);
    assert_eq!(letter.payload, chunk(CULPRIT).encode_to_vec());
}

/// A worker in a process of its own; gone when this is.
struct Worked(Child);

impl Worked {
    /// Its end, or None once all work is done.
    async fn until_dead_or_done(&mut self, connection: &Connection) -> Option<ExitStatus> {
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return Some(status);
            }
            if connection.messages(Stream::Chunks).await.unwrap() == 0 {
                return None;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Worked {
    fn drop(&mut self) {
        // Both fail only when it has gone by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(url: &str) -> Child {
    let program = env::current_exe().unwrap();
    let mut command = Command::new(program);
    command.args(["work-until-dead", url]).spawn().unwrap()
}

async fn work(url: &str) {
    let connection = connect(url).await;
    let worker = Worker::bind(&connection, WorkerConfig::new(Stage::Uploader))
        .await
        .unwrap();
    worker.run(Arc::new(Dying), CancellationToken::new()).await;
}

struct Dying;

impl Handler for Dying {
    type Message = ChunkReady;

    async fn handle(&self, chunk: ChunkReady, _: &Delivery) -> Result<(), Failure> {
        // All have begun by then, and none has ended.
        sleep(Duration::from_millis(50)).await;
        if chunk.id.unwrap().sequence == CULPRIT {
            process::abort();
        }
        sleep(Duration::from_millis(50)).await;
        Ok(())
    }
}

async fn connect(url: &str) -> Connection {
    let options = ConnectOptions {
        servers: url.to_owned(),
        ..ConnectOptions::default()
    };
    queue::connect(&options).await.unwrap()
}

/// Gives the uploaders' durable a short lease.
async fn lease(connection: &Connection) {
    let config = pull::Config {
        durable_name: Some("uploader".into()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: LEASE,
        max_ack_pending: 100_000,
        max_waiting: 2048,
        max_deliver: -1,
        ..pull::Config::default()
    };
    let stream = Stream::Chunks.name(connection.prefix());
    let jetstream = connection.jetstream();
    jetstream
        .create_consumer_on_stream(config, stream)
        .await
        .unwrap();
}

async fn dead_letter(connection: &Connection) -> DeadLetter {
    let name = Stream::Dead.name(connection.prefix());
    let stream = connection.jetstream().get_stream(name).await.unwrap();
    DeadLetter::decode(stream.get_raw_message(1).await.unwrap().payload).unwrap()
}

fn camera() -> proto::id::CameraId {
    "demo/front".parse().unwrap()
}

fn chunk(sequence: u64) -> ChunkReady {
    let id = ChunkId {
        camera: camera(),
        run: Run::new(1_763_839_803_000, [7; 10]),
        sequence,
    };
    ChunkReady {
        id: Some(id.to_wire()),
        committed_us: 17,
        ..ChunkReady::default()
    }
}
