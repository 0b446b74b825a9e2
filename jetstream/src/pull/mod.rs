//! Pulls messages from a consumer, exactly as many as there are permits.
//!
//! ```text
//!   request(3) ──► batch 3, expires 30 s, heartbeat 0.75 s ──► consumer ──► inbox ──► next()
//!                                                                               │
//!   a new inbox and nothing requested  ◄── reconnect, silence, any refusal ─────┘
//! ```
//!
//! The library's stream does not serve: it requests more whenever half of its batch is gone, into a
//! channel of its own, where leases run out unseen. And with several clients on one consumer it can
//! stay silent for half a minute after the server's return (measured: 14 s and more), because it
//! takes other clients' open requests for its own. Here every doubt about open requests ends in the
//! same way: forget them, and request again on a new inbox. Messages on their way to the old one
//! are delivered again when their leases are over.

pub(crate) mod ack;
mod status;

use std::{collections::VecDeque, time::Duration};

use async_nats::{Message, Subscriber};
use futures_util::{FutureExt, StreamExt};
use serde::Serialize;
use tokio::time::{Instant, sleep_until, timeout};

pub use ack::AckSubject;
use status::Status;

use crate::{Connection, backoff::Backoff, connection::link::Link};

/// The lifetime of one request. Long, because an open request costs nothing.
const EXPIRES: Duration = Duration::from_secs(30);

/// The interval of the server's idle heartbeats.
const HEARTBEAT: Duration = Duration::from_millis(750);

/// Two heartbeats, with slack for a busy machine. Must keep recovery under 3 s after a partitioned
/// node steps down.
const IDLE_TIMEOUT: Duration = Duration::from_millis(1900);

/// Delays after refusals: short enough to resume within a second of the consumer's return.
const REFUSAL_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(50),
    longest: Duration::from_millis(500),
};

/// The time limit of closing, for messages on their way.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// An event of a [`Puller`].
#[derive(Debug)]
pub enum Pulled {
    /// A message.
    Message(Message),
    /// Fewer messages are outstanding than were requested: request again.
    Expired,
    /// All requests are lost, for this reason: check the consumer, and request again.
    Broken(&'static str),
}

/// Open requests on one consumer.
///
/// It never has more messages outstanding than were requested. All waiting happens in
/// [`Puller::next`], which may be dropped at any point.
#[derive(Debug)]
pub struct Puller {
    link: Link,
    request_subject: String,
    inbox: String,
    subscription: Subscriber,
    /// Messages of an earlier inbox, not yet returned.
    left_over: VecDeque<Message>,
    /// Messages requested and not delivered.
    outstanding: usize,
    /// The number of connects of the link when the inbox was opened.
    connects: u64,
    last_activity: Instant,
    refusals: u32,
    not_before: Instant,
    /// The reason to forget all requests.
    broken: Option<&'static str>,
}

impl Puller {
    /// Opens an inbox for messages of `consumer` of `stream`, and requests nothing yet.
    ///
    /// # Errors
    /// On a closed connection.
    pub async fn open(
        connection: &Connection,
        stream: &str,
        consumer: &str,
    ) -> Result<Self, async_nats::SubscribeError> {
        let link = connection.consuming();
        let api_prefix = connection.api_prefix();
        let inbox = link.client.new_inbox();
        let connects = link.connects();
        let subscription = link.client.subscribe(inbox.clone()).await?;
        Ok(Self {
            link: link.clone(),
            request_subject: format!("{api_prefix}.CONSUMER.MSG.NEXT.{stream}.{consumer}"),
            inbox,
            subscription,
            left_over: VecDeque::new(),
            outstanding: 0,
            connects,
            last_activity: Instant::now(),
            refusals: 0,
            not_before: Instant::now(),
            broken: None,
        })
    }

    /// Requests messages until up to `count` are outstanding. Requests cannot be withdrawn.
    ///
    /// It does so only when fewer than half are outstanding: a request for each message would leave
    /// as many requests open as there are permits, each with heartbeats of its own. The outstanding
    /// half is delivered at once where there is work, and then the rest is requested.
    ///
    /// Without a connection, or just after a refusal, it requests nothing. [`Self::next`] then
    /// returns when it is time to request again.
    pub async fn request(&mut self, count: usize) {
        let missing = count.saturating_sub(self.outstanding);
        let enough = self.outstanding * 2 >= count;
        if enough || Instant::now() < self.not_before || !self.is_current() {
            return;
        }
        let request = Request {
            batch: missing,
            expires: EXPIRES.as_nanos(),
            idle_heartbeat: HEARTBEAT.as_nanos(),
        };
        let body = serde_json::to_vec(&request).expect("numbers are always JSON");
        if self.outstanding == 0 {
            self.last_activity = Instant::now();
        }
        self.outstanding += missing;
        let (subject, inbox) = (self.request_subject.clone(), self.inbox.clone());
        // Fails only on a closed client; the idle timeout ends the wait then.
        let _ = self
            .link
            .client
            .publish_with_reply(subject, inbox, body.into())
            .await;
    }

    /// Whether the link is still on the connection that the inbox was opened on.
    fn is_current(&self) -> bool {
        self.link.is_connected() && self.link.connects() == self.connects
    }

    /// Waits for the next event. Cancel safe.
    pub async fn next(&mut self) -> Pulled {
        loop {
            if let Some(message) = self.left_over.pop_front() {
                return Pulled::Message(message);
            }
            // A field, because this future may be dropped while the new inbox is being opened.
            if let Some(reason) = self.broken {
                self.reopen().await;
                self.broken = None;
                return Pulled::Broken(reason);
            }
            let wake = self.wake_at();
            tokio::select! {
                message = self.subscription.next() => match message {
                    Some(message) => if let Some(pulled) = self.received(message) {
                        return pulled;
                    },
                    None => self.broken = Some("the subscription ended"),
                },
                () = self.link.reconnected(self.connects) => {
                    self.broken = Some("reconnected");
                }
                () = sleep_until(wake.unwrap_or(self.last_activity)), if wake.is_some() => {
                    if self.outstanding == 0 {
                        return Pulled::Expired;
                    }
                    // Silence means nothing without a connection.
                    self.last_activity = Instant::now();
                    if self.link.is_connected() {
                        self.broken = Some("the server was silent");
                    }
                }
            }
        }
    }

    /// The next event, if it is there already. Cheaper than [`Self::next`], which prepares to wait.
    pub fn try_next(&mut self) -> Option<Pulled> {
        if self.broken.is_some() || !self.left_over.is_empty() {
            return None;
        }
        let message = self.subscription.next().now_or_never()??;
        self.received(message)
    }

    /// The end of the current delay or of the idle timeout.
    fn wake_at(&self) -> Option<Instant> {
        match self.outstanding {
            0 => (self.not_before > Instant::now()).then_some(self.not_before),
            _ => Some(self.last_activity + IDLE_TIMEOUT),
        }
    }

    fn received(&mut self, message: Message) -> Option<Pulled> {
        self.last_activity = Instant::now();
        match Status::new(&message) {
            Status::None => {
                self.refusals = 0;
                self.outstanding = self.outstanding.saturating_sub(1);
                Some(Pulled::Message(message))
            }
            Status::Heartbeat => {
                self.refusals = 0;
                None
            }
            Status::Expired { pending } => {
                self.outstanding = self.outstanding.saturating_sub(pending);
                Some(Pulled::Expired)
            }
            Status::Refused(reason) => {
                self.refusals = self.refusals.saturating_add(1);
                self.not_before =
                    Instant::now() + REFUSAL_BACKOFF.delay(self.refusals, rand::random());
                self.broken = Some(reason);
                None
            }
        }
    }

    /// Replaces the inbox. Messages for the old one find no subscriber, and go to other workers.
    async fn reopen(&mut self) {
        while let Some(Some(message)) = self.subscription.next().now_or_never() {
            if matches!(Status::new(&message), Status::None) {
                self.left_over.push_back(message);
            }
        }
        let connects = self.link.connects();
        let inbox = self.link.client.new_inbox();
        // Fails only on a closed client. The old, ended subscription reports that.
        if let Ok(subscription) = self.link.client.subscribe(inbox.clone()).await {
            self.subscription = subscription;
            self.inbox = inbox;
            self.connects = connects;
            self.outstanding = 0;
            self.last_activity = Instant::now();
        }
    }

    /// Stops pulling, and returns the messages on their way.
    pub async fn close(&mut self) -> Vec<Message> {
        let mut messages: Vec<Message> = self.left_over.drain(..).collect();
        if self.subscription.drain().await.is_ok() {
            let rest = async {
                while let Some(message) = self.subscription.next().await {
                    if matches!(Status::new(&message), Status::None) {
                        messages.push(message);
                    }
                }
            };
            let _ = timeout(CLOSE_TIMEOUT, rest).await;
        }
        messages
    }
}

/// <https://docs.nats.io/reference/reference-protocols/nats_api_reference>, `CONSUMER.MSG.NEXT`;
/// times in nanoseconds.
#[derive(Serialize)]
struct Request {
    batch: usize,
    expires: u128,
    idle_heartbeat: u128,
}
