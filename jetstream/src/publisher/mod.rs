//! Getting a message into its stream, however long that takes.
//!
//! ```text
//!   publish ──► window (64) ──► connected? ──► request ──► the stream's answer ──► Published
//!                                   ▲                            │
//!                                   └──── jittered pause ◄───────┘ full, busy, no leader, no answer
//! ```
//!
//! The window is the back-pressure: a stream that is full keeps 64 publishes trying, and everybody else waiting outside with what they hold.

mod answer;
mod stalls;

use std::{str::FromStr, sync::Arc, time::Duration};

use async_nats::{HeaderMap, HeaderName, HeaderValue, RequestErrorKind, client::Request};
use bytes::Bytes;
use crispy_telemetry::{
    catalogue::{QUEUE_PUBLISHED, STREAM},
    context,
};
use tokio::{
    sync::{Semaphore, watch},
    time::sleep,
};
use tracing::{Instrument, Span};

pub use {answer::Stall, stalls::Stalls};

use answer::Verdict;
use stalls::Trying;

use crate::{
    backoff::Backoff,
    connection::{Link, Patience},
    header, span,
};

/// Publishes that may wait for their answer at once. Measured: 64 carry 110,000 messages/s on one server, 25 times what a thousand cameras
/// send; more only makes them wait longer.
const WINDOW: usize = 64;

/// How long one attempt waits for its answer. A leader that steps down forgets whom it owes one (measured: a cluster that was torn apart left
/// whole windows unanswered, and stored them), so waiting long is in vain; asking again costs a duplicate that the stream knows by its id.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Pauses between attempts. The first is short because a message id that is still in flight on a replicated stream is settled within a
/// round trip; the longest leaves a full stream and an election (4.5 to 7 s, measured) in peace.
const TRYING_AGAIN: Backoff = Backoff {
    first: Duration::from_millis(20),
    longest: Duration::from_secs(2),
};

/// Publishes messages and waits for their streams to have them.
///
/// * Ok means stored: on disk of the stream's leader, and of a majority of replicas where there are several.
/// * It tries for ever: while the server is away, has no leader, is busy, or the stream is full. Only what can never succeed is an error.
/// * At most 64 publishes are under way, over all clones; more wait, without a copy of their bytes being made.
/// * Dropping the future gives up. The message may or may not have been stored then; published again under the same id it is stored once,
///   as long as the stream remembers the id.
#[derive(Clone, Debug)]
pub struct Publisher {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    link: Link,
    window: Semaphore,
    stalls: watch::Sender<Stalls>,
}

/// A message to be published.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// Its subject.
    pub subject: &'a str,
    /// The name of the stream that must store it.
    pub stream: &'a str,
    /// Its headers, with its id ([`header::MESSAGE_ID`]) where it has one. A `traceparent` among them puts it into that trace, and not into
    /// the one under way.
    pub headers: HeaderMap,
    /// Its content.
    pub payload: Bytes,
    /// The span of its publishing, with the fields `stream`, `stream_sequence` and `attempt` to be filled in; a plain one where there is none.
    pub span: Option<Span>,
}

/// The stream has the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The stream's name on the server.
    pub stream: String,
    /// The message's place in it.
    pub sequence: u64,
    /// The stream remembers a message of this id and has not stored another. `sequence` is then that one's, which may have left the stream
    /// since.
    pub duplicate: bool,
}

impl Publisher {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            inner: Arc::new(Inner {
                link,
                window: Semaphore::new(WINDOW),
                stalls: watch::Sender::default(),
            }),
        }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.inner.link
    }

    /// What keeps publishing into which stream from succeeding, from the first attempt that fails until the next that does not, or nobody
    /// tries any more: for logs and health.
    pub fn stalls(&self) -> watch::Receiver<Stalls> {
        self.inner.stalls.subscribe()
    }

    /// Publishes `message`.
    pub async fn publish(&self, message: Outgoing<'_>) -> Result<Published, PublishError> {
        let Outgoing {
            subject,
            stream,
            mut headers,
            payload,
            span,
        } = message;
        insert_header(&mut headers, header::EXPECTED_STREAM, stream)?;
        let span = span.unwrap_or_else(|| span::publish(subject, &headers, payload.len()));
        span::inject(&span, &mut headers);
        let store = async {
            let stored = self.store(subject, stream, &headers, &payload, &span);
            let stored = stored.await;
            if let Ok(published) = &stored {
                QUEUE_PUBLISHED.add(1, &[(STREAM, &published.stream)]);
                span.record("stream", &published.stream);
                span.record("stream_sequence", published.sequence);
            }
            context::record_error(stored)
        };
        store.instrument(span.clone()).await
    }

    /// Tries until the stream has it, or never can.
    async fn store(
        &self,
        subject: &str,
        stream: &str,
        headers: &HeaderMap,
        payload: &Bytes,
        span: &Span,
    ) -> Result<Published, PublishError> {
        let _permit = self
            .inner
            .window
            .acquire()
            .await
            .map_err(|_| PublishError::Closed)?;
        let trying = Trying::into(stream, &self.inner.stalls);
        let mut patience = Patience::begins(self.inner.link.connects());
        for failure in 1_u32.. {
            let connects = self.inner.link.connects();
            match self.attempt(subject, headers, payload, &trying).await {
                Verdict::Stored(published) => {
                    span.record("attempt", failure);
                    return Ok(published);
                }
                Verdict::Refused(reason) => {
                    return Err(PublishError::Refused {
                        subject: subject.to_owned(),
                        reason,
                    });
                }
                Verdict::Lost => {}
                Verdict::Stalled(stall) => {
                    trying.stalled(stall);
                    if stall != Stall::Full && patience.is_over(connects) {
                        self.inner.link.leave(connects).await;
                    }
                    sleep(TRYING_AGAIN.pause(failure, rand::random())).await;
                }
            }
        }
        Err(PublishError::Closed)
    }

    /// One try. It waits for a connection first, so that nothing queues up inside the client to be sent twice, and ends when the connection
    /// is made anew: the answer to what went before will not come.
    async fn attempt(
        &self,
        subject: &str,
        headers: &HeaderMap,
        payload: &Bytes,
        trying: &Trying<'_>,
    ) -> Verdict {
        let link = &self.inner.link;
        if !link.is_connected() {
            trying.stalled(Stall::Disconnected);
            link.connected().await;
        }
        let connects = link.connects();
        let request = Request::new()
            .headers(headers.clone())
            .payload(payload.clone())
            .timeout(Some(ANSWER_TIMEOUT));
        let reply = tokio::select! {
            reply = link.client.send_request(subject.to_owned(), request) => reply,
            () = link.remade(connects) => return Verdict::Lost,
        };
        match reply {
            Ok(reply) => answer::read(&reply.payload),
            Err(error) => match error.kind() {
                RequestErrorKind::NoResponders => Verdict::Stalled(Stall::NoStream),
                RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                    Verdict::Refused(error.to_string())
                }
                _ => Verdict::Stalled(Stall::NoAnswer),
            },
        }
    }
}

/// Adds a header. Values may come from messages, so none may end its line.
pub fn insert_header(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), PublishError> {
    let illegal = || PublishError::IllegalHeader {
        name: name.to_owned(),
    };
    let header = HeaderName::from_str(name).map_err(|_| illegal())?;
    let value = HeaderValue::from_str(value).map_err(|_| illegal())?;
    headers.insert(header, value);
    Ok(())
}

/// The message can never be published as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Too large, or the subject is captured by somebody else's stream.
    #[error("publish on {subject}: {reason}")]
    Refused {
        /// The subject.
        subject: String,
        /// What the server, or the client on its behalf, said.
        reason: String,
    },
    /// A header's name or value cannot be written down.
    #[error("publish with header {name:?}: not a legal header")]
    IllegalHeader {
        /// The header's name.
        name: String,
    },
    /// The publisher was closed.
    #[error("publish on a closed connection")]
    Closed,
}
