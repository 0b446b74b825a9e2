//! One message, from its bytes to its end.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use jiff::Timestamp;
use proto::v1::dead_letter::Kind;

use super::{
    Delivery, Handler, WorkerConfig,
    failure::chain,
    held::Parcel,
    history::Failures,
    outcome::{Circumstances, Decision, Ending, decide},
    settle,
    suspects::{Suspects, Watch},
};
use crate::{Connection, Decode, connection::Link, dead_letter::Obituary};

/// What every job of a worker shares.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) connection: Connection,
    pub(super) config: WorkerConfig,
    pub(super) suspects: Suspects,
}

impl Bench {
    pub(super) fn new(connection: Connection, config: WorkerConfig) -> Self {
        Self {
            suspects: Suspects::new(&connection, config.stage),
            connection,
            config,
        }
    }
}

/// One message to be worked on.
pub(super) struct Job<H> {
    pub(super) bench: Arc<Bench>,
    pub(super) handler: Arc<H>,
    pub(super) parcel: Parcel,
    pub(super) delivery: Delivery,
    /// What this worker remembers of it; None where it has never seen the end of an attempt at it.
    pub(super) failures: Option<Failures>,
}

/// What is left for the worker to do.
#[derive(Debug)]
pub(super) enum Settled {
    /// Nothing: done.
    Acked { confirmed: bool },
    /// Nothing: given up, the dead letter stored.
    Buried { kind: Kind, reason: String },
    /// To be handed back.
    HandBack {
        pause: Duration,
        counts: bool,
        reason: String,
    },
    /// To be kept until the destination is back.
    Hold { reason: String },
}

impl<H: Handler> Job<H> {
    /// Works on the message until nothing is left to do that needs waiting.
    pub(super) async fn run(self) -> Settled {
        let ending = self.handle().await;
        let before = self.failures.unwrap_or_default();
        let circumstances = Circumstances {
            before,
            since_first: before.since_first(Instant::now()),
            limits: &self.bench.config.limits,
            random: rand::random(),
        };
        match decide(ending, &circumstances) {
            Decision::Ack => Settled::Acked {
                confirmed: settle::ack(self.link(), &self.parcel.reply).await,
            },
            Decision::Bury { kind, reason } => self.bury(kind, reason).await,
            Decision::HandBack {
                pause,
                counts,
                reason,
            } => Settled::HandBack {
                pause,
                counts,
                reason,
            },
            Decision::Hold { reason } => Settled::Hold { reason },
        }
    }

    async fn handle(&self) -> Ending {
        let payload = &self.parcel.message.payload;
        let message = match H::Message::decode(self.delivery.message_type(), payload) {
            Ok(message) => message,
            Err(error) => return Ending::Undecodable(error),
        };
        let limits = &self.bench.config.limits;
        // One that this worker has seen the end of does not kill: it was handed back, or waited out an outage, which raises the server's count
        // just the same.
        if self.delivery.deliveries < limits.suspicion || self.failures.is_some() {
            return self.call(message).await;
        }
        let (suspects, place) = (&self.bench.suspects, self.parcel.place);
        match suspects.watch(place, limits.deaths).await {
            Ok(Watch::Alive(watched)) => {
                let ending = self.call(message).await;
                watched.survived().await;
                ending
            }
            Ok(Watch::Deadly { deaths }) => Ending::Deadly { deaths },
            Err(error) => Ending::Unwatched(error),
        }
    }

    async fn call(&self, message: H::Message) -> Ending {
        let handling = self.handler.handle(message, &self.delivery);
        match AssertUnwindSafe(handling).catch_unwind().await {
            Ok(Ok(())) => Ending::Done,
            Ok(Err(failure)) => Ending::Failed(failure),
            Err(panic) => Ending::Panicked(said(&*panic)),
        }
    }

    /// Dead letter first, as long as that takes; then the end.
    async fn bury(&self, kind: Kind, reason: String) -> Settled {
        let publisher = self.bench.connection.publisher().await;
        let now = Timestamp::now().as_microsecond();
        let first = self.failures.and_then(|failures| failures.first);
        let obituary = Obituary {
            stage: self.bench.config.stage,
            instance: &self.bench.config.instance,
            version: &self.bench.config.version,
            delivery: &self.delivery,
            payload: &self.parcel.message.payload,
            kind,
            reason,
            first_failure_us: first.map_or(now, |(_, first)| first.as_microsecond()),
            last_failure_us: now,
        };
        let prefix = self.bench.connection.prefix();
        if let Err(error) = obituary.publish(&publisher, prefix).await {
            // Without its dead letter the message is not given up.
            return Settled::HandBack {
                pause: self.bench.config.limits.longest_absence,
                counts: false,
                reason: format!("write the dead letter: {}", chain(&error)),
            };
        }
        settle::term(self.link(), &self.parcel.reply, &obituary.reason).await;
        if kind == Kind::CrashGuard {
            self.bench.suspects.clear(self.parcel.place).await;
        }
        Settled::Buried {
            kind,
            reason: obituary.reason,
        }
    }

    fn link(&self) -> &Link {
        self.bench.connection.consuming()
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "something that is not text".to_owned())
}
