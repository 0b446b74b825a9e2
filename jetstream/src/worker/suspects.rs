//! Which messages may be killing their workers: marks that outlive a worker.
//!
//! The server counts deliveries and cannot tell a worker that died from one that handed the message back: after two hours of an absent ingestor
//! its chunks have a hundred deliveries behind them, and nothing is wrong with them. So a number of deliveries only makes a suspect. A suspect is
//! marked, in the stream of [`CrashMarks`], before it is handled, and cleared when its handling has ended, in whatever way. A mark
//! that is found there is a worker that died; only those are counted.
//!
//! ```text
//!   delivered five times? ──► marks found: 0 ─► mark 1, handle beside others ──┐
//!                                          1 ─► mark 2, handle alone ──────────┼─► ended: no marks, as before
//!                                          2 ─► mark 3, handle alone ──────────┘   died: the mark stays
//!                                          3 ─► dead letter, unhandled
//! ```
//!
//! Alone, because a worker that dies takes all that it is handling with it: whoever was only beside the culprit is marked once with it, and
//! cleared at its own next turn. Work that goes well costs nothing; a suspect, three requests.

use std::time::Duration;

use async_nats::HeaderMap;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::sleep,
};

use super::{config::CrashMarks, place::Place};
use crate::{
    Connection, Outgoing, PublishError,
    api::{self, ApiError, MessageSelector},
    backoff::Backoff,
};

/// Pauses between attempts to clear a mark: one that stays by mistake would be held against its message.
const CLEARING: Backoff = Backoff {
    first: Duration::from_millis(50),
    longest: Duration::from_secs(1),
};

/// The marks of one consumer's messages, as this worker reads and writes them.
#[derive(Debug)]
pub(super) struct Suspects {
    connection: Connection,
    marks: CrashMarks,
    /// Of those that somebody has died of, one is handled at a time.
    alone: Semaphore,
}

/// Whether a suspect may be handled.
pub(super) enum Watch<'a> {
    /// It may, and its end has to be told.
    Alive(Watched<'a>),
    /// It may not: this many have died of it.
    Deadly { deaths: u32 },
}

/// A suspect that is being handled, with its mark written.
#[must_use = "a handling whose end is not told counts as a death"]
pub(super) struct Watched<'a> {
    suspects: &'a Suspects,
    place: Place,
    _alone: Option<SemaphorePermit<'a>>,
}

/// A suspect cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    #[error("read whether a worker has died of the message")]
    Read(#[source] ApiError),
    #[error("mark the message as being handled")]
    Mark(#[source] PublishError),
}

impl Suspects {
    pub(super) fn new(connection: &Connection, marks: CrashMarks) -> Self {
        Self {
            connection: connection.clone(),
            marks,
            alone: Semaphore::new(1),
        }
    }

    /// Marks the message at `place`, unless `limit` workers have died of it.
    pub(super) async fn watch(&self, place: Place, limit: u32) -> Result<Watch<'_>, WatchError> {
        let deaths = self.deaths(place).await.map_err(WatchError::Read)?;
        if deaths >= limit {
            return Ok(Watch::Deadly { deaths });
        }
        let alone = match deaths {
            0 => None,
            // Never closed: there is always a turn to be had.
            _ => self.alone.acquire().await.ok(),
        };
        self.mark(place, deaths + 1)
            .await
            .map_err(WatchError::Mark)?;
        Ok(Watch::Alive(Watched {
            suspects: self,
            place,
            _alone: alone,
        }))
    }

    /// Removes the mark. As patient as it takes, except where there are no marks at all any more.
    pub(super) async fn clear(&self, place: Place) {
        let (stream, subject) = (&self.marks.stream, self.subject(place));
        for failure in 1_u32.. {
            match api::purge(&self.connection, stream, &subject).await {
                Ok(()) | Err(ApiError::NoStream) => return,
                Err(_) => sleep(CLEARING.pause(failure, rand::random())).await,
            }
        }
    }

    async fn deaths(&self, place: Place) -> Result<u32, ApiError> {
        let subject = self.subject(place);
        match api::message(
            &self.connection,
            &self.marks.stream,
            &MessageSelector::LastOfSubject(&subject),
        )
        .await
        {
            // What is no number was not written by us, and accuses nobody.
            Ok(mark) => Ok(str::from_utf8(&mark.payload)
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)),
            Err(ApiError::NoMessage) => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn mark(&self, place: Place, deaths: u32) -> Result<(), PublishError> {
        let publisher = self.connection.publisher().await;
        let (subject, text) = (self.subject(place), deaths.to_string());
        let sent = publisher.publish(Outgoing {
            subject: &subject,
            stream: &self.marks.stream,
            headers: HeaderMap::new(),
            payload: text.into(),
            span: None,
        });
        sent.await.map(|_| ())
    }

    fn subject(&self, place: Place) -> String {
        let Place {
            created_us,
            sequence,
        } = place;
        format!("{}.{created_us}.{sequence}", self.marks.subject)
    }
}

impl Watched<'_> {
    /// The handling has ended, and the worker lives.
    pub(super) async fn survived(self) {
        self.suspects.clear(self.place).await;
    }
}
