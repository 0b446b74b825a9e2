//! Publishes messages, and retries until their streams have them.
//!
//! ```text
//!   publish ──► window (64) ──► connected? ──► request ──► acknowledgement ──► Published
//!                                   ▲                            │
//!                                   └── jittered delay ◄──┘ full, busy, no leader, no answer
//! ```
//!
//! The window is the back-pressure: a full stream keeps 64 publishes retrying, and all others wait
//! for the window.

mod ack;
mod stalls;

use std::{str::FromStr, sync::Arc, time::Duration};

use async_nats::{HeaderMap, HeaderName, HeaderValue, RequestErrorKind, client::Request};
use bytes::Bytes;
use crispy_fault::{DependencyId, Fault};
use crispy_telemetry::{
    catalogue::{QUEUE_PUBLISHED, STREAM},
    context,
};
use tokio::{
    sync::{Semaphore, watch},
    time::sleep,
};
use tracing::{Instrument, Span};

pub use {ack::Stall, stalls::Stalls};

use ack::Outcome;
use stalls::InFlightPublish;

use crate::{
    backoff::Backoff,
    connection::{failover_timer::FailoverTimer, link::Link},
    header, span,
};

/// Publishes in flight. Measured: 64 carry 110,000 messages/s on one server, 25 times the load of a
/// thousand cameras; more only prolong the wait.
const WINDOW: usize = 64;

/// The time limit of one attempt. A leader that steps down never answers its pending publishes
/// (measured: a partitioned cluster left whole windows unanswered, and stored them). Another
/// attempt costs a duplicate that the stream recognises by its id.
const ACK_TIMEOUT: Duration = Duration::from_secs(2);

/// Delays between attempts. The first is short: a message id in flight on a replicated stream is
/// settled within a round trip. The longest spares a full stream, and one in an election (4.5 to
/// 7 s, measured).
const RETRY_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(20),
    longest: Duration::from_secs(2),
};

/// Publishes messages and waits for their streams to have them.
///
/// * Ok means stored: on the disk of the stream's leader, and of a majority of its replicas.
/// * It retries for ever while the server is unavailable or busy, has no leader, or the stream is
///   full. Only publishes that can never succeed are errors.
/// * At most 64 publishes are in flight, over all clones. Others wait, without a copy of their
///   bytes.
/// * Dropping the future gives up. The message may have been stored. Published again under the same
///   id it is stored once, as long as the stream remembers the id.
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
    /// Its headers, with its id ([`header::MESSAGE_ID`]). A `traceparent` among them puts it into
    /// that trace, and not into the current one.
    pub headers: HeaderMap,
    /// Its content.
    pub payload: Bytes,
    /// The span of its publishing; a plain one by default. The publisher records the fields
    /// `stream`, `stream_sequence` and `attempt`.
    pub span: Option<Span>,
}

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The stream's name on the server.
    pub stream: String,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// The stream remembers a message of this id, and did not store another. `sequence` is that
    /// message's, which may have left the stream since.
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

    /// Stalled publishes, by stream, for logs and health: from the first failed attempt to success
    /// or to the drop of the publish.
    pub fn stalls(&self) -> watch::Receiver<Stalls> {
        self.inner.stalls.subscribe()
    }

    /// Publishes `message`.
    ///
    /// # Errors
    /// Only where the message can never be published: see [`PublishError`].
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

    /// Retries until the stream has the message, or never can.
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
        let publish = InFlightPublish::new(stream, &self.inner.stalls);
        let mut timer = FailoverTimer::new(self.inner.link.connects());
        for failure in 1_u32.. {
            let connects = self.inner.link.connects();
            match self.attempt(subject, headers, payload, &publish).await {
                Outcome::Stored(published) => {
                    span.record("attempt", failure);
                    return Ok(published);
                }
                Outcome::Refused(reason) => {
                    return Err(PublishError::Refused {
                        subject: subject.to_owned(),
                        reason,
                    });
                }
                Outcome::Reconnected => {}
                Outcome::Stalled(stall) => {
                    publish.stalled(stall);
                    if stall != Stall::Full && timer.is_expired(connects) {
                        self.inner.link.switch_server(connects).await;
                    }
                    sleep(RETRY_BACKOFF.delay(failure, rand::random())).await;
                }
            }
        }
        Err(PublishError::Closed)
    }

    /// Makes one attempt. Waits for a connection first: publishes that queue up inside the client
    /// would be sent twice. Ends at a reconnect: the answer to the earlier request never comes.
    async fn attempt(
        &self,
        subject: &str,
        headers: &HeaderMap,
        payload: &Bytes,
        publish: &InFlightPublish<'_>,
    ) -> Outcome {
        let link = &self.inner.link;
        if !link.is_connected() {
            publish.stalled(Stall::Disconnected);
            link.connected().await;
        }
        let connects = link.connects();
        let request = Request::new()
            .headers(headers.clone())
            .payload(payload.clone())
            .timeout(Some(ACK_TIMEOUT));
        let reply = tokio::select! {
            reply = link.client.send_request(subject.to_owned(), request) => reply,
            () = link.reconnected(connects) => return Outcome::Reconnected,
        };
        match reply {
            Ok(reply) => ack::parse(&reply.payload),
            Err(error) => match error.kind() {
                RequestErrorKind::NoResponders => Outcome::Stalled(Stall::NoStream),
                RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                    Outcome::Refused(error.to_string())
                }
                _ => Outcome::Stalled(Stall::NoAnswer),
            },
        }
    }
}

/// Adds a header. Values may come from messages: one with a line break is an error.
///
/// # Errors
/// [`PublishError::IllegalHeader`].
pub fn insert_header(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), PublishError> {
    let illegal = || PublishError::IllegalHeader {
        name: name.to_owned(),
    };
    let header = HeaderName::from_str(name).map_err(|_| illegal())?;
    let value = HeaderValue::from_str(value).map_err(|_| illegal())?;
    headers.insert(header, value);
    Ok(())
}

/// A message that can never be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Too large, or its subject is captured by another stream.
    #[error("publish on {subject}: {reason}")]
    Refused {
        /// The subject.
        subject: String,
        /// The refusal of the server or the client.
        reason: String,
    },
    /// A header's name or value is illegal.
    #[error("publish with header {name:?}: not a legal header")]
    IllegalHeader {
        /// The header's name.
        name: String,
    },
    /// The publisher was closed.
    #[error("publish on a closed connection")]
    Closed,
}

impl PublishError {
    /// The failure of a publish that was made while `doing` something.
    pub fn into_fault(self, doing: &'static str) -> Fault {
        let fault = match &self {
            Self::Closed => Fault::unavailable(DependencyId::Queue, doing),
            Self::Refused { .. } | Self::IllegalHeader { .. } => Fault::rejected(doing),
        };
        fault.with_source(self)
    }
}
