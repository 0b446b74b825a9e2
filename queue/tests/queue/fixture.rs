//! A server with our streams, and scripted workers.

use std::{future::Future, sync::Arc, time::Duration};

use async_nats::jetstream::consumer::{self, pull};
use crispy_fault::Fault;
use crispy_jetstream::{ConnectOptions, Delivery, Limits, Summary};
use crispy_proto::v1::{ChunkReady, DeadLetter};
use crispy_queue::{
    Connection, Handler, Publisher, Stage, Stream, Worker, WorkerConfig, message_id,
};
use crispy_testbed::{NatsOptions, NatsServer};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub(crate) use crate::chunks::{camera, chunk};

/// Longer than any step takes on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// A lease short enough to wait for.
pub(crate) const LEASE: Duration = Duration::from_millis(600);

/// A server with our streams, and a connection to it.
pub(crate) struct Fixture {
    pub(crate) server: NatsServer,
    pub(crate) connection: Connection,
}

pub(crate) fn options(server: &NatsServer) -> ConnectOptions {
    ConnectOptions {
        servers: server.url(),
        ..ConnectOptions::default()
    }
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(&NatsOptions::default()).await
    }

    pub(crate) async fn with(nats: &NatsOptions) -> Self {
        let fixture = Self::empty(nats).await;
        fixture.set_up().await;
        fixture
    }

    /// A server without streams.
    pub(crate) async fn empty(nats: &NatsOptions) -> Self {
        let server = NatsServer::start_with(nats);
        let connection = crispy_queue::connect(&options(&server), &crispy_queue::Prefix::default())
            .await
            .unwrap();
        Self { server, connection }
    }

    pub(crate) async fn set_up(&self) {
        let plan = crispy_queue::topology::plan(&self.connection, None, false)
            .await
            .unwrap();
        plan.apply().await.unwrap();
    }

    /// Another connection, as of another process.
    pub(crate) async fn connect(&self) -> Connection {
        crispy_queue::connect(&options(&self.server), &crispy_queue::Prefix::default())
            .await
            .unwrap()
    }

    pub(crate) async fn publisher(&self) -> Publisher {
        self.connection.publisher().await
    }

    /// Publishes chunks with these sequences.
    pub(crate) async fn publish(&self, sequences: std::ops::Range<u64>) {
        let publisher = self.publisher().await;
        for sequence in sequences {
            publish(&publisher, &self.connection, &chunk(sequence)).await;
        }
    }

    /// Sets the lease of the uploaders' consumer.
    pub(crate) async fn lease(&self, lease: Duration) {
        let stream = Stream::Chunks.name(self.connection.prefix());
        let config = pull::Config {
            ack_wait: lease,
            ..self.consumer_config().await
        };
        let made = self
            .connection
            .jetstream()
            .create_consumer_on_stream(config, stream);
        made.await.unwrap();
    }

    async fn consumer_config(&self) -> pull::Config {
        let info = self.consumer().await;
        pull::Config {
            durable_name: Some("uploader".into()),
            description: info.config.description,
            ack_policy: info.config.ack_policy,
            max_deliver: info.config.max_deliver,
            max_ack_pending: info.config.max_ack_pending,
            max_waiting: info.config.max_waiting,
            ..pull::Config::default()
        }
    }

    /// The server's information about the uploaders' consumer.
    pub(crate) async fn consumer(&self) -> consumer::Info {
        let jetstream = self.connection.jetstream();
        let stream = Stream::Chunks.name(self.connection.prefix());
        let stream = jetstream.get_stream(stream).await.unwrap();
        stream.consumer_info("uploader").await.unwrap()
    }

    /// Messages of the stream.
    pub(crate) async fn count(&self, stream: Stream) -> u64 {
        self.connection.messages(stream).await.unwrap()
    }

    pub(crate) async fn wait_for_count(&self, stream: Stream, count: u64) {
        eventually(async || self.count(stream).await == count).await;
    }

    /// The dead letter at `sequence` of its stream, and its message id.
    pub(crate) async fn dead_letter(&self, sequence: u64) -> (DeadLetter, String) {
        use prost::Message as _;
        let name = Stream::Dead.name(self.connection.prefix());
        let stream = self.connection.jetstream().get_stream(name).await.unwrap();
        let message = stream.get_raw_message(sequence).await.unwrap();
        let id = message.headers.get("Nats-Msg-Id").unwrap().to_string();
        (DeadLetter::decode(message.payload).unwrap(), id)
    }

    /// A worker on a connection of its own, which calls `act` with each chunk.
    pub(crate) async fn worker<F, Fut>(&self, config: WorkerConfig, act: F) -> RunningWorker
    where
        F: Fn(ChunkReady, Delivery) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        self.worker_with_probe(config, act, || true).await
    }

    /// A worker that finishes a message for each permit of its semaphore.
    pub(crate) async fn gated(&self, config: WorkerConfig) -> (RunningWorker, Arc<Semaphore>) {
        gated(self.connect().await, config).await
    }

    pub(crate) async fn worker_with_probe<F, Fut, P>(
        &self,
        config: WorkerConfig,
        act: F,
        probe: P,
    ) -> RunningWorker
    where
        F: Fn(ChunkReady, Delivery) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Fault>> + Send + 'static,
        P: Fn() -> bool + Send + Sync + 'static,
    {
        start_worker(self.connect().await, config, act, probe).await
    }
}

/// As [`Fixture::gated`], on `connection`.
pub(crate) async fn gated(
    connection: Connection,
    config: WorkerConfig,
) -> (RunningWorker, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let passing = Arc::clone(&gate);
    let act = move |_, _| {
        let gate = Arc::clone(&passing);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(())
        }
    };
    (start_worker(connection, config, act, || true).await, gate)
}

/// A worker on `connection`.
pub(crate) async fn start_worker<F, Fut, P>(
    connection: Connection,
    config: WorkerConfig,
    act: F,
    probe: P,
) -> RunningWorker
where
    F: Fn(ChunkReady, Delivery) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Fault>> + Send + 'static,
    P: Fn() -> bool + Send + Sync + 'static,
{
    let worker = Worker::bind(&connection, config).await.unwrap();
    let (sender, received) = mpsc::unbounded_channel();
    let handler = Arc::new(ScriptedHandler { act, probe, sender });
    let (stop, state) = (CancellationToken::new(), worker.state());
    let readiness = worker.readiness();
    RunningWorker {
        task: tokio::spawn(worker.run(handler, stop.clone())),
        stop,
        state,
        readiness,
        received,
        connection,
    }
}

/// A running worker.
pub(crate) struct RunningWorker {
    pub(crate) task: JoinHandle<Summary>,
    pub(crate) stop: CancellationToken,
    pub(crate) state: tokio::sync::watch::Receiver<crispy_jetstream::WorkerState>,
    pub(crate) readiness: crispy_jetstream::Readiness,
    /// The handler's calls: the chunk's sequence, the delivery and the time.
    received: mpsc::UnboundedReceiver<(u64, Delivery, Instant)>,
    pub(crate) connection: Connection,
}

impl RunningWorker {
    /// The next delivery.
    pub(crate) async fn next(&mut self) -> (u64, Delivery) {
        let received = timeout(TIMEOUT, self.received.recv());
        let (sequence, delivery, _) = received.await.expect("a delivery").expect("a worker");
        (sequence, delivery)
    }

    /// The calls that were not returned by [`Self::next`] yet.
    pub(crate) fn received_so_far(&mut self) -> Vec<(u64, Instant)> {
        std::iter::from_fn(|| self.received.try_recv().ok())
            .map(|(sequence, _, at)| (sequence, at))
            .collect()
    }

    pub(crate) async fn stop(self) -> Summary {
        self.stop.cancel();
        timeout(TIMEOUT, self.task)
            .await
            .expect("the worker stops")
            .unwrap()
    }
}

struct ScriptedHandler<F, P> {
    act: F,
    probe: P,
    sender: mpsc::UnboundedSender<(u64, Delivery, Instant)>,
}

impl<F, Fut, P> Handler for ScriptedHandler<F, P>
where
    F: Fn(ChunkReady, Delivery) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Fault>> + Send + 'static,
    P: Fn() -> bool + Send + Sync + 'static,
{
    type Message = ChunkReady;

    async fn handle(&self, chunk: ChunkReady, delivery: &Delivery) -> Result<(), Fault> {
        let sequence = chunk.id.as_ref().unwrap().sequence;
        let _ = self
            .sender
            .send((sequence, delivery.clone(), Instant::now()));
        (self.act)(chunk, delivery.clone()).await
    }

    async fn probe(&self) -> bool {
        (self.probe)()
    }
}

/// An uploader's configuration with limits short enough to wait for.
pub(crate) fn quick_config() -> WorkerConfig {
    WorkerConfig {
        grace: Duration::from_secs(5),
        limits: Limits {
            retries: 3,
            retry_period: Duration::ZERO,
            suspicious_deliveries: 5,
            crashes: 3,
            first_delay: Duration::from_millis(20),
            longest_delay: Duration::from_millis(50),
            longest_wait: Duration::from_millis(200),
            probe_interval: Duration::from_millis(50),
            dead_letter_timeout: Duration::from_secs(1),
        },
        instance: "host/1".into(),
        ..WorkerConfig::new(Stage::Uploader)
    }
}

pub(crate) async fn publish(publisher: &Publisher, connection: &Connection, chunk: &ChunkReady) {
    let subject = connection.subjects().chunks(&camera());
    let id = message_id::ready(chunk);
    publisher.publish(subject, &id, chunk).await.unwrap();
}

/// Waits until a condition holds.
pub(crate) async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition().await {
        assert!(Instant::now() < deadline, "the condition never holds");
        sleep(Duration::from_millis(5)).await;
    }
}
