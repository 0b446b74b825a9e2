//! The application's side of a worker.

use std::future::{Future, ready};

use crispy_fault::{BoxError, Fault};
use tracing::Span;

use super::{Delivery, Headers};
use crate::span;

/// Processes the messages of one consumer.
///
/// * [`Self::handle`] runs for up to [`crate::WorkerConfig::concurrency`] messages at once.
/// * A message may come more than once, also while an earlier attempt still runs elsewhere:
///   handling it twice must do no harm.
/// * The worker extends the lease of a message while it is handled, however long that takes.
/// * The future of `handle` is dropped when a stopping worker's grace period is over, and when
///   another message finds a shared dependency unavailable. That may happen at any await, and must
///   do no more harm than a process that is killed there.
pub trait Processor: Send + Sync + 'static {
    /// A decoded message.
    type Message: Send;

    /// Decodes the payload of `delivery`.
    ///
    /// # Errors
    /// See [`DecodeError`] for the consequences.
    fn decode(&self, delivery: &Delivery) -> Result<Self::Message, DecodeError>;

    /// Handles `message`. Ok means that all its effects are durable.
    ///
    /// # Errors
    /// The fault's kind alone decides. A panic is a `Transient`.
    ///
    /// | kind | consequence |
    /// |---|---|
    /// | `Transient` | a retry after a jittered delay, at last a dead letter |
    /// | `Rejected`, `Corrupt`, `Conflict`, `NotFound` | a dead letter |
    /// | `Unavailable`, shared | the breaker opens until [`Self::probe`] succeeds |
    /// | `Unavailable`, not shared | this message alone is delayed, without counting the attempt |
    ///
    /// While the breaker is open, pulling pauses and all attempts are cancelled.
    fn handle(
        &self,
        message: Self::Message,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Whether the shared dependencies are available again. It runs every 2 s while the breaker is
    /// open, for at most 2 s.
    fn probe(&self) -> impl Future<Output = bool> + Send {
        ready(true)
    }

    /// Stores a dead letter. The message leaves its stream only after Ok.
    ///
    /// # Errors
    /// After any error the message is delayed, and the dead letter is tried again later.
    fn dead_letter(&self, letter: DeadLetter<'_>)
    -> impl Future<Output = Result<(), Fault>> + Send;

    /// The span of handling `delivery` for `consumer`. The worker records the field `outcome`.
    fn span(&self, delivery: &Delivery, consumer: &str) -> Span {
        span::process(delivery, consumer)
    }

    /// The subject matter of a message, for the worker's log lines (their field `chunk`).
    fn label<'a>(&self, headers: &'a Headers) -> Option<&'a str> {
        let _ = headers;
        None
    }
}

/// A message that cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No version of the program can decode it: it becomes a dead letter.
    #[error(transparent)]
    Malformed(BoxError),
    /// A newer version of the program may decode it: it goes back with a delay.
    #[error(transparent)]
    NeedsUpgrade(BoxError),
}

/// A message that is given up.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// Its last delivery.
    pub delivery: &'a Delivery,
    /// The class of the reason.
    pub kind: DeadLetterKind,
    /// The reason: an error and its causes.
    pub reason: &'a str,
    /// Unix microseconds.
    pub first_failure_us: i64,
    /// Unix microseconds.
    pub last_failure_us: i64,
}

/// The reasons for a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterKind {
    /// The handler's fault can never go away.
    Rejected,
    /// It cannot be decoded.
    Undecodable,
    /// It failed too often for too long.
    RetriesSpent,
    /// Worker after worker died while handling it.
    CrashGuard,
}

impl DeadLetterKind {
    /// A name for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Undecodable => "undecodable",
            Self::RetriesSpent => "retries_spent",
            Self::CrashGuard => "crash_guard",
        }
    }
}
