//! Measures throughput and CPU cost of the queue: setup, single messages, idle, full load, and
//! several workers.
//!
//! `cargo run --release -p crispy-queue --example throughput`. Compares full load with a bare loop
//! over async-nats with 64 acknowledgements in flight.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a report for a terminal"
)]

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::jetstream::consumer::PullConsumer;
use crispy_fault::Fault;
use crispy_jetstream::{ConnectOptions, Delivery};
use crispy_proto::v1::ChunkReady;
use crispy_queue::{Connection, Handler, Stage, Stream, Worker, WorkerConfig, connect, topology};
use crispy_testbed::NatsServer;
use futures_util::StreamExt;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

const MESSAGES: u64 = 50_000;

#[derive(Default)]
struct Counter {
    handled: AtomicU64,
    one_more: Notify,
}

impl Handler for Counter {
    type Message = ChunkReady;

    async fn handle(&self, _: ChunkReady, _: &Delivery) -> Result<(), Fault> {
        self.handled.fetch_add(1, Ordering::SeqCst);
        self.one_more.notify_one();
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = NatsServer::start();
    let meter = Meter::start(&server);
    let options = ConnectOptions {
        servers: server.url(),
        ..ConnectOptions::default()
    };
    let connection = connect(&options, &crispy_queue::Prefix::default())
        .await
        .unwrap();
    meter.report("connect");
    let meter = Meter::start(&server);
    let plan = topology::plan(&connection, None, false).await.unwrap();
    plan.apply().await.unwrap();
    meter.report("setup");

    let counter = Arc::new(Counter::default());
    let stop = CancellationToken::new();
    let config = WorkerConfig {
        concurrency: 64,
        ..WorkerConfig::new(Stage::Uploader)
    };
    let worker = Worker::bind(&connection, config).await.unwrap();
    let running = tokio::spawn(worker.run(Arc::clone(&counter), stop.clone()));

    one_at_a_time(&connection, &counter, &server).await;
    let meter = Meter::start(&server);
    sleep(Duration::from_secs(5)).await;
    meter.report("idle for 5 s");
    stop.cancel();
    running.await.unwrap();

    publish(&connection, 1, &server).await;
    bare_loop(&connection, &server).await;
    publish(&connection, 2, &server).await;
    worker_loop(&connection, &server).await;
    for workers in [1, 2, 4, 8] {
        parallel_workers(&connection, workers).await;
    }
}

/// Measures how close `workers` workers with one permit each, and attempts of [`STEP`], come to a
/// multiple of one worker.
async fn parallel_workers(connection: &Connection, workers: u64) {
    let (stop, mut running) = (CancellationToken::new(), Vec::new());
    for _ in 0..workers {
        let config = WorkerConfig {
            concurrency: 1,
            ..WorkerConfig::new(Stage::Uploader)
        };
        let worker = Worker::bind(connection, config).await.unwrap();
        running.push(tokio::spawn(worker.run(Arc::new(Slow), stop.clone())));
    }
    let publisher = connection.publisher().await;
    let subject = connection.subjects().chunks(&"demo/front".parse().unwrap());
    let (messages, begun) = (30 * workers, Instant::now());
    for n in 0..messages {
        let id = format!("parallel {workers} {n}");
        publisher
            .publish(subject.clone(), &id, &chunk())
            .await
            .unwrap();
    }
    until_empty(connection).await;
    let ideal = STEP * 30;
    let share = ideal.as_secs_f64() / begun.elapsed().as_secs_f64();
    println!("{workers} workers of 100 ms a message: {share:.2} of {workers} times one");
    stop.cancel();
    for worker in running {
        worker.await.unwrap();
    }
}

/// Duration of one attempt.
const STEP: Duration = Duration::from_millis(100);

struct Slow;

impl Handler for Slow {
    type Message = ChunkReady;

    async fn handle(&self, _: ChunkReady, _: &Delivery) -> Result<(), Fault> {
        sleep(STEP).await;
        Ok(())
    }
}

async fn one_at_a_time(connection: &Connection, counter: &Counter, server: &NatsServer) {
    let meter = Meter::start(server);
    let publisher = connection.publisher().await;
    let subject = connection.subjects().chunks(&"demo/front".parse().unwrap());
    let mut delays = Vec::new();
    for n in 0..500 {
        let begun = Instant::now();
        let id = format!("single {n}");
        publisher
            .publish(subject.clone(), &id, &chunk())
            .await
            .unwrap();
        counter.one_more.notified().await;
        delays.push(begun.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
    delays.sort();
    println!(
        "publish to handle: p50 {:?}, p99 {:?}",
        delays[250], delays[495]
    );
    meter.report("500 messages, one at a time");
}

async fn publish(connection: &Connection, round: u32, server: &NatsServer) {
    let meter = Meter::start(server);
    let publisher = connection.publisher().await;
    let subject = connection.subjects().chunks(&"demo/front".parse().unwrap());
    let chunk = chunk();
    let sending = (0..MESSAGES).map(|n| {
        let (publisher, subject, chunk) = (&publisher, subject.clone(), &chunk);
        async move {
            let id = format!("{round} {n}");
            publisher.publish(subject, &id, chunk).await.unwrap();
        }
    });
    let mut sending = futures_util::stream::iter(sending).buffer_unordered(64);
    while sending.next().await.is_some() {}
    meter.report("publish");
}

async fn worker_loop(connection: &Connection, server: &NatsServer) {
    let counter = Arc::new(Counter::default());
    let stop = CancellationToken::new();
    let config = WorkerConfig {
        concurrency: 64,
        ..WorkerConfig::new(Stage::Uploader)
    };
    let worker = Worker::bind(connection, config).await.unwrap();
    let meter = Meter::start(server);
    let running = tokio::spawn(worker.run(Arc::clone(&counter), stop.clone()));
    until_empty(connection).await;
    meter.report("worker, 64 permits");
    stop.cancel();
    running.await.unwrap();
}

async fn bare_loop(connection: &Connection, server: &NatsServer) {
    let name = Stream::Chunks.name(connection.prefix());
    let stream = connection.jetstream().get_stream(name).await.unwrap();
    let consumer: PullConsumer = stream.get_consumer("uploader").await.unwrap();
    let meter = Meter::start(server);
    let messages = consumer.stream().messages().await.unwrap();
    let taken = messages.take(usize::try_from(MESSAGES).unwrap());
    let acked = taken.map(|message| async move { message.unwrap().double_ack().await.unwrap() });
    let mut acked = acked.buffer_unordered(64);
    while acked.next().await.is_some() {}
    until_empty(connection).await;
    meter.report("bare loop, 64 in flight");
}

async fn until_empty(connection: &Connection) {
    while connection.messages(Stream::Chunks).await.unwrap() > 0 {
        sleep(Duration::from_millis(10)).await;
    }
}

/// About 300 bytes, the size of a descriptor.
fn chunk() -> ChunkReady {
    ChunkReady {
        sha256: vec![7; 280],
        ..ChunkReady::default()
    }
}

/// Measures wall time, and CPU time of this process and of the server.
struct Meter {
    begun: Instant,
    client: u64,
    server: u64,
    server_pid: u32,
}

impl Meter {
    fn start(server: &NatsServer) -> Self {
        let server_pid = server.pid().unwrap();
        Self {
            begun: Instant::now(),
            client: cpu_us(std::process::id()),
            server: cpu_us(server_pid),
            server_pid,
        }
    }

    fn report(&self, what: &str) {
        let wall = self.begun.elapsed();
        let client = (cpu_us(std::process::id()) - self.client) / 1000;
        let server = (cpu_us(self.server_pid) - self.server) / 1000;
        println!("{what}: {wall:.1?} wall, {client} ms CPU here, {server} ms in the server");
    }
}

/// CPU time of a process so far, in microseconds, from the scheduler's own count (nanoseconds, all
/// threads).
fn cpu_us(pid: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let times = tasks.map(|task| {
        let stat = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
        let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
        nanos.unwrap_or(0_u64) / 1000
    });
    times.sum()
}
