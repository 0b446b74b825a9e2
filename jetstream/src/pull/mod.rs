//! Taking messages from a pull consumer, exactly as many as there are hands.
//!
//! ```text
//!   want(3) ──► request: batch 3, expires 30 s, heartbeat 0.75 s ──► consumer ──► inbox ──► next()
//!                                                                                  │
//!   a fresh inbox and nothing asked for  ◄── connection made anew, silence, any refusal
//! ```
//!
//! Why not the library's stream: it asks for more whenever half of its batch is gone, whatever the caller can hold, into a channel of its own,
//! where leases run out unseen; and with several clients on one durable it can stay silent for half a minute after the server was away
//! (measured: 14 s and more), because it takes other clients' open requests for its own. Here every doubt about what the server still owes
//! us ends in the same way: forget it, and ask again on a fresh inbox. What was on its way to the old one comes again when its lease is over.

mod ack;
mod status;

use std::{collections::VecDeque, time::Duration};

use async_nats::{Message, Subscriber};
use futures_util::{FutureExt, StreamExt};
use serde::Serialize;
use tokio::time::{Instant, sleep_until, timeout};

pub use ack::AckSubject;
use status::Status;

use crate::{Connection, backoff::Backoff, connection::Link};

/// How long one request stays open. Long, because it costs nothing while it waits.
const EXPIRES: Duration = Duration::from_secs(30);

/// How often the server says that it is still there while it has nothing to deliver.
const HEARTBEAT: Duration = Duration::from_millis(750);

/// How long it may be silent: two heartbeats, and some for a busy machine. Whoever waits longer is silent for more than three seconds itself, when
/// a node that is cut off has found out that it does not lead any more.
const SILENCE: Duration = Duration::from_millis(1900);

/// Pauses after refusals, short enough to be back within a second of what was missing.
const REFUSED: Backoff = Backoff {
    first: Duration::from_millis(50),
    longest: Duration::from_millis(500),
};

/// How long closing waits for what is on its way.
const CLOSING: Duration = Duration::from_secs(1);

/// What happened.
#[derive(Debug)]
pub enum Pulled {
    /// A message, with one request the less open.
    Message(Message),
    /// Fewer messages are coming than were asked for: ask again.
    Expired,
    /// Nothing is coming any more, because of this: make sure that the consumer is there, and ask again.
    Broken(&'static str),
}

/// Open requests on one consumer.
///
/// It never has more messages coming than it was told to want. All waiting happens in [`Puller::next`], which may be dropped at any point.
#[derive(Debug)]
pub struct Puller {
    link: Link,
    request_subject: String,
    inbox: String,
    subscription: Subscriber,
    /// Delivered to an inbox that has been left, and not yet given out.
    left_over: VecDeque<Message>,
    /// Messages asked for that have not come.
    coming: usize,
    /// How often the link had been made when the inbox was opened.
    connects: u64,
    heard: Instant,
    refusals: u32,
    not_before: Instant,
    /// Why what is coming may not come.
    doubt: Option<&'static str>,
}

impl Puller {
    /// A puller from `consumer` of `stream`, with nothing asked for yet.
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
            coming: 0,
            connects,
            heard: Instant::now(),
            refusals: 0,
            not_before: Instant::now(),
            doubt: None,
        })
    }

    /// Sees to it that up to `count` messages are coming. What has been asked for cannot be taken back.
    ///
    /// It asks only when fewer than half of them are: a request for each single message would leave as many requests open as there are hands,
    /// and each has heartbeats of its own. Nobody waits for that: the half that is coming comes at once where there is work, and then the
    /// rest is asked for.
    ///
    /// While there is no connection, or just after a refusal, it asks for nothing; [`Self::next`] then returns when it is time to ask again.
    pub async fn want(&mut self, count: usize) {
        let missing = count.saturating_sub(self.coming);
        let enough = self.coming * 2 >= count;
        if enough || Instant::now() < self.not_before || !self.is_current() {
            return;
        }
        let request = Request {
            batch: missing,
            expires: EXPIRES.as_nanos(),
            idle_heartbeat: HEARTBEAT.as_nanos(),
        };
        let body = serde_json::to_vec(&request).expect("numbers are always JSON");
        if self.coming == 0 {
            self.heard = Instant::now();
        }
        self.coming += missing;
        let (subject, inbox) = (self.request_subject.clone(), self.inbox.clone());
        // Fails only when the client is closed, and then silence ends the wait.
        let _ = self
            .link
            .client
            .publish_with_reply(subject, inbox, body.into())
            .await;
    }

    /// The connection stands, and is the one that the inbox was opened on.
    fn is_current(&self) -> bool {
        self.link.is_connected() && self.link.connects() == self.connects
    }

    /// The next thing that happens.
    pub async fn next(&mut self) -> Pulled {
        loop {
            if let Some(message) = self.left_over.pop_front() {
                return Pulled::Message(message);
            }
            // Kept in a field until it is done, because this future may be dropped while the new inbox is being opened.
            if let Some(reason) = self.doubt {
                self.reopen().await;
                self.doubt = None;
                return Pulled::Broken(reason);
            }
            let wake = self.wake_at();
            tokio::select! {
                message = self.subscription.next() => match message {
                    Some(message) => if let Some(pulled) = self.heard(message) {
                        return pulled;
                    },
                    None => self.doubt = Some("the subscription ended"),
                },
                () = self.link.remade(self.connects) => {
                    self.doubt = Some("the connection was made anew");
                }
                () = sleep_until(wake.unwrap_or(self.heard)), if wake.is_some() => {
                    if self.coming == 0 {
                        return Pulled::Expired;
                    }
                    // Silence is no news while there is no connection.
                    self.heard = Instant::now();
                    if self.link.is_connected() {
                        self.doubt = Some("the server was silent");
                    }
                }
            }
        }
    }

    /// What has happened already, without waiting. [`Self::next`] would say it too, at the price of a wait for everything else.
    pub fn ready(&mut self) -> Option<Pulled> {
        if self.doubt.is_some() || !self.left_over.is_empty() {
            return None;
        }
        let message = self.subscription.next().now_or_never()??;
        self.heard(message)
    }

    /// When to look up though nothing was heard: at the end of a pause, or when the silence is too long.
    fn wake_at(&self) -> Option<Instant> {
        match self.coming {
            0 => (self.not_before > Instant::now()).then_some(self.not_before),
            _ => Some(self.heard + SILENCE),
        }
    }

    fn heard(&mut self, message: Message) -> Option<Pulled> {
        self.heard = Instant::now();
        match Status::of(&message) {
            Status::None => {
                self.refusals = 0;
                self.coming = self.coming.saturating_sub(1);
                Some(Pulled::Message(message))
            }
            Status::Heartbeat => {
                self.refusals = 0;
                None
            }
            Status::Expired { pending } => {
                self.coming = self.coming.saturating_sub(pending);
                Some(Pulled::Expired)
            }
            Status::Refused(reason) => {
                self.refusals = self.refusals.saturating_add(1);
                self.not_before = Instant::now() + REFUSED.pause(self.refusals, rand::random());
                self.doubt = Some(reason);
                None
            }
        }
    }

    /// Leaves the inbox for a fresh one. Whatever the server still had for the old one finds nobody there, and goes to others.
    async fn reopen(&mut self) {
        while let Some(Some(message)) = self.subscription.next().now_or_never() {
            if matches!(Status::of(&message), Status::None) {
                self.left_over.push_back(message);
            }
        }
        let connects = self.link.connects();
        let inbox = self.link.client.new_inbox();
        // Fails only when the client is closed; then the old, ended subscription stays and says so.
        if let Ok(subscription) = self.link.client.subscribe(inbox.clone()).await {
            self.subscription = subscription;
            self.inbox = inbox;
            self.connects = connects;
            self.coming = 0;
            self.heard = Instant::now();
        }
    }

    /// Takes nothing more, and returns what was on its way.
    pub async fn close(&mut self) -> Vec<Message> {
        let mut messages: Vec<Message> = self.left_over.drain(..).collect();
        if self.subscription.drain().await.is_ok() {
            let rest = async {
                while let Some(message) = self.subscription.next().await {
                    if matches!(Status::of(&message), Status::None) {
                        messages.push(message);
                    }
                }
            };
            let _ = timeout(CLOSING, rest).await;
        }
        messages
    }
}

/// <https://docs.nats.io/reference/reference-protocols/nats_api_reference>, `CONSUMER.MSG.NEXT`; times in nanoseconds.
#[derive(Serialize)]
struct Request {
    batch: usize,
    expires: u128,
    idle_heartbeat: u128,
}
