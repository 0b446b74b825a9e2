//! The crash guard: finds messages that kill their workers, by marks that outlive a worker.
//!
//! The server counts deliveries and cannot tell a crashed worker from one that handed the message
//! back: after two hours without its ingestor a chunk has a hundred deliveries, and nothing is
//! wrong with it. So a number of deliveries only makes a message suspicious. A suspicious message
//! is marked ([`CrashMarks`]) before it is handled, and the mark is cleared when the attempt has
//! ended in any way. A mark that is found is a crashed worker; only those count.
//!
//! ```text
//!   fifth delivery? ──► marks found: 0 ─► mark 1, handle beside others ──┐
//!                                    1 ─► mark 2, handle alone ──────────┼─► ended: mark cleared
//!                                    2 ─► mark 3, handle alone ──────────┘   crashed: mark stays
//!                                    3 ─► dead letter, unhandled
//! ```
//!
//! Alone, because a crash takes all attempts of the process with it: a message that only ran beside
//! the culprit is marked once, and cleared at its own next attempt. Unsuspicious messages cost
//! nothing, a suspicious one three requests.

use std::time::Duration;

use async_nats::HeaderMap;
use crispy_fault::Fault;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::sleep,
};

use super::{config::CrashMarks, delivery::MessageRef};
use crate::{
    Connection, Outgoing,
    api::{self, ApiError, MessageSelector},
    backoff::Backoff,
};

/// Delays between attempts to clear a mark: a mark that stays would count as a crash.
const CLEAR_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(50),
    longest: Duration::from_secs(1),
};

/// The marks of one consumer's messages.
#[derive(Debug)]
pub(super) struct CrashGuard {
    connection: Connection,
    marks: CrashMarks,
    /// Messages with earlier crashes are handled one at a time.
    alone: Semaphore,
}

/// The answer of the crash guard.
pub(super) enum Admission<'a> {
    /// The message may be handled.
    Admitted(Marked<'a>),
    /// It may not: that many workers crashed.
    Refused { crashes: u32 },
}

/// A marked attempt at a message.
#[must_use = "an attempt whose mark is not cleared counts as a crash"]
pub(super) struct Marked<'a> {
    guard: &'a CrashGuard,
    message: MessageRef,
    _alone: Option<SemaphorePermit<'a>>,
}

impl CrashGuard {
    pub(super) fn new(connection: &Connection, marks: CrashMarks) -> Self {
        Self {
            connection: connection.clone(),
            marks,
            alone: Semaphore::new(1),
        }
    }

    /// Marks `message`, unless `limit` workers have crashed while handling it.
    pub(super) async fn admit(
        &self,
        message: MessageRef,
        limit: u32,
    ) -> Result<Admission<'_>, Fault> {
        let crashes = self.crashes(message).await;
        let crashes = crashes.map_err(|error| error.into_fault("read crash mark"))?;
        if crashes >= limit {
            return Ok(Admission::Refused { crashes });
        }
        let alone = match crashes {
            0 => None,
            // The semaphore is never closed.
            _ => self.alone.acquire().await.ok(),
        };
        self.mark(message, crashes + 1).await?;
        Ok(Admission::Admitted(Marked {
            guard: self,
            message,
            _alone: alone,
        }))
    }

    /// Clears the mark of `message`. Tries until it succeeds, or the stream of marks is gone.
    pub(super) async fn clear(&self, message: MessageRef) {
        let (stream, subject) = (&self.marks.stream, self.subject(message));
        for failures in 1_u32.. {
            match api::purge(&self.connection, stream, &subject).await {
                Ok(()) | Err(ApiError::NoStream) => return,
                Err(_) => sleep(CLEAR_BACKOFF.delay(failures, rand::random())).await,
            }
        }
    }

    async fn crashes(&self, message: MessageRef) -> Result<u32, ApiError> {
        let subject = self.subject(message);
        let last = MessageSelector::LastOfSubject(&subject);
        match api::message(&self.connection, &self.marks.stream, &last).await {
            // Only numbers were written by a crash guard.
            Ok(mark) => Ok(str::from_utf8(&mark.payload)
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)),
            Err(ApiError::NoMessage) => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn mark(&self, message: MessageRef, crashes: u32) -> Result<(), Fault> {
        let publisher = self.connection.publisher().await;
        let (subject, text) = (self.subject(message), crashes.to_string());
        let published = publisher.publish(Outgoing {
            subject: &subject,
            stream: &self.marks.stream,
            headers: HeaderMap::new(),
            payload: text.into(),
            span: None,
        });
        match published.await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.into_fault("write crash mark")),
        }
    }

    fn subject(&self, message: MessageRef) -> String {
        let MessageRef {
            created_us,
            sequence,
        } = message;
        format!("{}.{created_us}.{sequence}", self.marks.subject)
    }
}

impl Marked<'_> {
    /// Clears the mark: the attempt has ended without a crash.
    pub(super) async fn clear(self) {
        self.guard.clear(self.message).await;
    }
}
