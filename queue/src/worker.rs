//! The worker of a stage: [`crispy_jetstream::Worker`] with our streams, messages and dead letters.

use std::{future::Future, sync::Arc, time::Duration};

use crispy_fault::Fault;
use crispy_jetstream::{CrashMarks, Delivery, Headers, Limits, Readiness, Summary, WorkerState};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::{Connection, Decode, Stage, Stream, dead_letter::DeadLetterDraft, header, span};

/// Processes the messages of a stage.
///
/// Promises and requirements are those of [`crispy_jetstream::Processor`].
pub trait Handler: Send + Sync + 'static {
    /// The messages that it processes.
    type Message: Decode + Send;

    /// Processes `message`. Ok means that all its effects are durable.
    fn handle(
        &self,
        message: Self::Message,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Whether the shared dependencies are available again. It runs every 2 s while the breaker is
    /// open, for at most 2 s.
    fn probe(&self) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }
}

/// Settings of a [`Worker`].
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The stage.
    pub stage: Stage,
    /// The largest number of concurrent attempts, at least 1.
    pub concurrency: usize,
    /// The time that a stopping worker gives to running attempts.
    pub grace: Duration,
    /// The limits after which a message becomes a dead letter.
    pub limits: Limits,
    /// This process, for dead letters: host name and process.
    pub instance: String,
    /// The program's version, for dead letters.
    pub version: String,
}

impl WorkerConfig {
    /// The default settings: 8 concurrent attempts, 25 s of grace (5 s less than Kubernetes gives).
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
    /// Binds to the consumer of `config`'s stage. Makes no streams or consumers: `crispy setup`
    /// does.
    pub async fn bind(connection: &Connection, config: WorkerConfig) -> Result<Self, Fault> {
        let (stage, prefix) = (config.stage, connection.prefix());
        let settings = crispy_jetstream::WorkerConfig {
            stream: stage.input().name(prefix),
            consumer: stage.to_string(),
            crash_marks: CrashMarks {
                stream: Stream::CrashMarks.name(prefix),
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

    /// Its state, for watching.
    pub fn state(&self) -> watch::Receiver<WorkerState> {
        self.worker.state()
    }

    /// Whether its stage can work now, with the reasons where it cannot.
    pub fn readiness(&self) -> Readiness {
        self.worker.readiness()
    }

    /// Works until `stop` is cancelled. Then it finishes running attempts within the grace, returns
    /// all other messages to the server, and returns a summary.
    pub async fn run<H: Handler>(self, handler: Arc<H>, stop: CancellationToken) -> Summary {
        let processor = Arc::new(StageProcessor {
            handler,
            connection: self.connection,
            config: self.config,
        });
        self.worker.run(processor, stop).await
    }
}

/// A handler with the parts that all stages share.
struct StageProcessor<H> {
    handler: Arc<H>,
    connection: Connection,
    config: WorkerConfig,
}

impl<H: Handler> crispy_jetstream::Processor for StageProcessor<H> {
    type Message = H::Message;

    fn decode(&self, delivery: &Delivery) -> Result<H::Message, crispy_jetstream::DecodeError> {
        let type_name = delivery.header(header::TYPE).unwrap_or_default();
        let decoded = H::Message::decode(type_name, &delivery.payload);
        decoded.map_err(|error| match error.needs_newer_version() {
            true => crispy_jetstream::DecodeError::NeedsUpgrade(error.into()),
            false => crispy_jetstream::DecodeError::Malformed(error.into()),
        })
    }

    async fn handle(&self, message: H::Message, delivery: &Delivery) -> Result<(), Fault> {
        self.handler.handle(message, delivery).await
    }

    async fn probe(&self) -> bool {
        self.handler.probe().await
    }

    async fn dead_letter(&self, letter: crispy_jetstream::DeadLetter<'_>) -> Result<(), Fault> {
        let publisher = self.connection.publisher().await;
        let draft = DeadLetterDraft {
            stage: self.config.stage,
            instance: &self.config.instance,
            version: &self.config.version,
            letter,
        };
        let published = draft.publish(&publisher, self.connection.prefix()).await;
        match published {
            Ok(_) => Ok(()),
            Err(error) => Err(error.into_fault("publish dead letter")),
        }
    }

    fn span(&self, delivery: &Delivery, consumer: &str) -> Span {
        span::process(delivery, consumer)
    }

    fn label<'a>(&self, headers: &'a Headers) -> Option<&'a str> {
        headers.get(header::CHUNK)
    }
}
