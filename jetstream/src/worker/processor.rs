//! The application's side of a worker.

use std::future::{Future, ready};

use bytes::Bytes;
use tracing::Span;

use super::{Delivery, Failure, Headers};
use crate::{PublishError, span};

/// Any error: `anyhow::Error` and every `thiserror` enum turn into it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Processes the messages of one consumer.
///
/// * [`Self::handle`] is called with up to [`crate::WorkerConfig::concurrency`] messages at once.
/// * A message may come more than once, also while an earlier attempt still runs somewhere: handling it twice must do no harm.
/// * While a message is handled the worker extends its lease, however long that takes.
/// * Its future is dropped when a stopping worker's grace is over, and when another message finds the destination unavailable: that may be at
///   any await, and must do no more harm than a process that is killed there. A panic is a [`Failure::Retry`].
pub trait Processor: Send + Sync + 'static {
    /// What it understands.
    type Message: Send;

    /// The message in `payload`.
    fn decode(&self, delivery: &Delivery, payload: &[u8]) -> Result<Self::Message, DecodeError>;

    /// Handles `message`. Ok means that every effect of it is there to stay.
    fn handle(
        &self,
        message: Self::Message,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether the destination is back. Asked every 2 s, for at most 2 s, after a [`super::Cause::Destination`].
    fn probe(&self) -> impl Future<Output = bool> + Send {
        ready(true)
    }

    /// Stores a dead letter. The message leaves its stream only after Ok.
    fn dead_letter(
        &self,
        letter: DeadLetter<'_>,
    ) -> impl Future<Output = Result<(), PublishError>> + Send;

    /// The span of handling a delivery of `bytes` to `consumer`, with the field `outcome` to be filled in.
    fn span(&self, delivery: &Delivery, consumer: &str, bytes: usize) -> Span {
        span::process(delivery, consumer, bytes)
    }

    /// The chunk, or other thing, that a message is about, for the worker's log.
    fn label<'a>(&self, headers: &'a Headers) -> Option<&'a str> {
        let _ = headers;
        None
    }
}

/// A message cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It never can: a dead letter.
    #[error(transparent)]
    Malformed(BoxError),
    /// A newer version of the program may: it is handed back with a delay.
    #[error(transparent)]
    NeedsUpgrade(BoxError),
}

/// A message that is given up.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// Its last delivery.
    pub delivery: &'a Delivery,
    /// Its content.
    pub payload: &'a Bytes,
    /// Why, as one of a few.
    pub kind: DeadLetterKind,
    /// Why, in words.
    pub reason: &'a str,
    /// Unix microseconds.
    pub first_failure_us: i64,
    /// Unix microseconds.
    pub last_failure_us: i64,
}

/// Why a message is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadLetterKind {
    /// Its handler says that it can never succeed.
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
