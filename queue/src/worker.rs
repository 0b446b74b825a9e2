//! A stage's worker: the mechanism of [`crispy_jetstream::Worker`] with our streams, messages and dead letters.

use std::{future::Future, sync::Arc, time::Duration};

use crispy_jetstream::{
    BindError, CrashMarks, Delivery, Drained, Failure, Headers, Limits, PublishError, Readiness,
    WorkerState,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::{Connection, Decode, Stage, Stream, dead_letter::Obituary, header, span};

/// The work of a stage.
///
/// The promises and demands are those of [`crispy_jetstream::Processor`].
pub trait Handler: Send + Sync + 'static {
    /// What it understands.
    type Message: Decode + Send;

    /// Handles `message`. Ok means that every effect of it is there to stay.
    fn handle(
        &self,
        message: Self::Message,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether the destination is back. Asked every 2 s, for at most 2 s, after a [`crispy_jetstream::Cause::Destination`].
    fn probe(&self) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }
}

/// Settings of a [`Worker`].
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The stage whose work it does.
    pub stage: Stage,
    /// Messages handled at once, at least 1.
    pub concurrency: usize,
    /// How long a stopping worker lets what is under way finish.
    pub grace: Duration,
    /// When a message is given up.
    pub limits: Limits,
    /// This process, for dead letters: host name and process.
    pub instance: String,
    /// The program's version, for dead letters.
    pub version: String,
}

impl WorkerConfig {
    /// The settings of `stage` by default: 8 at once, 25 s of grace (five less than Kubernetes gives).
    pub fn new(stage: Stage) -> Self {
        Self {
            stage,
            concurrency: 8,
            grace: Duration::from_secs(25),
            limits: Limits::default(),
            instance: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// A worker of a stage, bound to the consumer that all workers of the stage share.
#[derive(Debug)]
pub struct Worker {
    worker: crispy_jetstream::Worker,
    connection: Connection,
    config: WorkerConfig,
}

impl Worker {
    /// Binds to the consumer of `config`'s stage. Makes nothing: what is missing is for `crispy setup` to make.
    pub async fn bind(connection: &Connection, config: WorkerConfig) -> Result<Self, BindError> {
        let (stage, prefix) = (config.stage, connection.prefix());
        let settings = crispy_jetstream::WorkerConfig {
            stream: stage.source().name(prefix),
            consumer: stage.to_string(),
            crash_marks: CrashMarks {
                stream: Stream::Suspects.name(prefix),
                subject: format!("$KV.{prefix}_suspects.{stage}"),
            },
            concurrency: config.concurrency,
            grace: config.grace,
            limits: config.limits,
        };
        Ok(Self {
            worker: crispy_jetstream::Worker::bind(connection, settings).await?,
            connection: connection.clone(),
            config,
        })
    }

    /// Whether it can work, to be watched while it does.
    pub fn state(&self) -> watch::Receiver<WorkerState> {
        self.worker.state()
    }

    /// Whether its stage can work now and, if not, why not.
    pub fn readiness(&self) -> Readiness {
        self.worker.readiness()
    }

    /// Works until `stop` is cancelled, then finishes what is under way within the grace, hands back the rest, and says what it did.
    pub async fn run<H: Handler>(self, handler: Arc<H>, stop: CancellationToken) -> Drained {
        let processor = Arc::new(StageProcessor {
            handler,
            connection: self.connection,
            config: self.config,
        });
        self.worker.run(processor, stop).await
    }
}

/// A handler, and what is the same for all of them.
struct StageProcessor<H> {
    handler: Arc<H>,
    connection: Connection,
    config: WorkerConfig,
}

impl<H: Handler> crispy_jetstream::Processor for StageProcessor<H> {
    type Message = H::Message;

    fn decode(
        &self,
        delivery: &Delivery,
        payload: &[u8],
    ) -> Result<H::Message, crispy_jetstream::DecodeError> {
        let type_name = delivery.header(header::TYPE).unwrap_or_default();
        let decoded = H::Message::decode(type_name, payload);
        decoded.map_err(|error| match error.needs_newer_version() {
            true => crispy_jetstream::DecodeError::NeedsUpgrade(error.into()),
            false => crispy_jetstream::DecodeError::Malformed(error.into()),
        })
    }

    async fn handle(&self, message: H::Message, delivery: &Delivery) -> Result<(), Failure> {
        self.handler.handle(message, delivery).await
    }

    async fn probe(&self) -> bool {
        self.handler.probe().await
    }

    async fn dead_letter(
        &self,
        letter: crispy_jetstream::DeadLetter<'_>,
    ) -> Result<(), PublishError> {
        let publisher = self.connection.publisher().await;
        let obituary = Obituary {
            stage: self.config.stage,
            instance: &self.config.instance,
            version: &self.config.version,
            letter,
        };
        let published = obituary.publish(&publisher, self.connection.prefix()).await;
        published.map(|_| ())
    }

    fn span(&self, delivery: &Delivery, consumer: &str, bytes: usize) -> Span {
        span::process(delivery, consumer, bytes)
    }

    fn label<'a>(&self, headers: &'a Headers) -> Option<&'a str> {
        headers.get(header::CHUNK)
    }
}
