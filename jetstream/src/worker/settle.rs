//! Settles messages on the server: acknowledgements, dead letters, delays, lease extensions.
//!
//! Settling needs no permit: a message that waits for the server does not hold up others. It stays
//! in flight, and its lease is extended, until it is settled.

use std::{sync::Arc, time::Duration};

use async_nats::{Subject, client::Request};
use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::timeout;

use super::{
    DeadLetter, DeadLetterKind, Delivery, Processor,
    decision::Reason,
    delivery::MessageRef,
    retry_history::{Attempt, Failures},
    shared::Shared,
};
use crate::connection::link::Link;

/// The time limit of one confirmation. Shorter than the shortest lease, so that a lost confirmation
/// is requested again while the message is still ours.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts at a confirmation. After these the message is delivered again, and its handler finds
/// the work done.
const CONFIRM_ATTEMPTS: usize = 2;

const ACK: Bytes = Bytes::from_static(b"+ACK");

/// The end of a settlement.
#[derive(Debug)]
pub(super) enum Settled {
    Acked {
        confirmed: bool,
    },
    DeadLettered {
        kind: DeadLetterKind,
        reason: Reason,
    },
    /// Its dead letter could not be stored.
    Returned {
        delay: Duration,
        attempt: Attempt,
        reason: Reason,
    },
}

/// Acknowledges a handled message.
pub(super) async fn ack(shared: Arc<Shared>, delivery: Arc<Delivery>) -> (MessageRef, Settled) {
    let confirmed = confirmed(&shared, &delivery, ACK).await;
    (delivery.message_ref(), Settled::Acked { confirmed })
}

/// Stores a dead letter, and then terminates its message.
pub(super) async fn dead_letter<P: Processor>(
    shared: Arc<Shared>,
    processor: Arc<P>,
    delivery: Arc<Delivery>,
    failures: Option<Failures>,
    kind: DeadLetterKind,
    reason: Reason,
) -> (MessageRef, Settled) {
    let message = delivery.message_ref();
    let now = Timestamp::now().as_microsecond();
    let first = failures.and_then(|failures| failures.first);
    let letter = DeadLetter {
        delivery: &delivery,
        kind,
        reason: &reason.error,
        first_failure_us: first.map_or(now, |(_, first)| first.as_microsecond()),
        last_failure_us: now,
    };
    let limits = &shared.config.limits;
    let failure = match timeout(limits.dead_letter_timeout, processor.dead_letter(letter)).await {
        Ok(Ok(())) => None,
        Ok(Err(fault)) => Some(Reason::from_fault(&fault)),
        Err(_) => Some(Reason {
            error: format!("not stored within {:?}", limits.dead_letter_timeout),
            hint: Some("check the stream of dead letters with `crispy status`".into()),
        }),
    };
    if let Some(failure) = failure {
        let settled = Settled::Returned {
            delay: limits.longest_wait,
            attempt: match kind {
                DeadLetterKind::CrashGuard => Attempt::NotAttempted,
                _ => Attempt::Uncounted,
            },
            reason: Reason {
                error: format!("store dead letter: {}", failure.error),
                ..failure
            },
        };
        return (message, settled);
    }
    confirmed(&shared, &delivery, term(&reason.error)).await;
    if kind == DeadLetterKind::CrashGuard {
        shared.crash_guard.clear(message).await;
    }
    (message, Settled::DeadLettered { kind, reason })
}

/// Hands a message back, for any worker, after `delay`. Without one the server delivers it at once.
pub(super) async fn nak(shared: &Shared, delivery: &Delivery, delay: Duration) {
    let body = match delay.as_nanos() {
        0 => Bytes::from_static(b"-NAK"),
        nanos => format!(r#"-NAK {{"delay": {nanos}}}"#).into(),
    };
    send(shared, delivery, body).await;
}

/// Extends the lease of a message: it begins again.
pub(super) async fn extend_lease(shared: &Shared, delivery: &Delivery) {
    send(shared, delivery, Bytes::from_static(b"+WPI")).await;
}

async fn send(shared: &Shared, delivery: &Delivery, body: Bytes) {
    let link = shared.connection.consuming();
    if let Some(reply) = &delivery.reply
        && shared.epoch.is_current(delivery.message_ref(), link)
    {
        let _ = link.client.publish(reply.clone(), body).await;
    }
}

/// Terminates a message.
fn term(reason: &str) -> Bytes {
    // The reason shows in the server's advisory, which is one line.
    let line = reason.lines().next().unwrap_or_default();
    let short: String = line.chars().take(200).collect();
    format!("+TERM {short}").into()
}

/// Sends `body` and waits for the server's confirmation. False where none came.
async fn confirmed(shared: &Shared, delivery: &Delivery, body: Bytes) -> bool {
    let Some(reply) = &delivery.reply else {
        return false;
    };
    for _ in 0..CONFIRM_ATTEMPTS {
        if !shared.is_current(delivery.message_ref()).await {
            continue;
        }
        let link = shared.connection.consuming();
        if let Some(confirmed) = confirmed_once(link, reply, body.clone()).await {
            return confirmed;
        }
    }
    false
}

/// Sends `body` and waits for the confirmation. None where the time was over or the link was lost.
///
/// async-nats' own double ack takes any reply for a confirmation, also the 503 of a consumer that
/// is gone. A status is a refusal.
async fn confirmed_once(link: &Link, reply: &Subject, body: Bytes) -> Option<bool> {
    let connects = link.connects();
    let request = Request::new().payload(body).timeout(Some(CONFIRM_TIMEOUT));
    let answer = tokio::select! {
        answer = link.client.send_request(reply.clone(), request) => answer,
        () = link.reconnected(connects) => return None,
    };
    match answer {
        Ok(message) => Some(message.status.is_none()),
        Err(error) if error.kind() == async_nats::RequestErrorKind::TimedOut => None,
        Err(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use crispy_testbed::NatsServer;
    use futures_util::StreamExt;

    use super::*;
    use crate::{ConnectOptions, connect};

    #[tokio::test]
    async fn a_status_is_no_confirmation() {
        let server = NatsServer::start();
        let options = ConnectOptions {
            servers: server.url(),
            ..ConnectOptions::default()
        };
        let connection = connect(&options).await.unwrap();
        let link = connection.consuming();
        link.reconnected(0).await;
        let reply = Subject::from("$JS.ACK.S.uploader.1.1.1.1.0");
        let answer = confirmed_once(link, &reply, ACK).await;
        assert_eq!(answer, Some(false), "503: no responders");

        let mut listener = link.client.subscribe(reply.clone()).await.unwrap();
        let answering = async {
            let message = listener.next().await.unwrap();
            let inbox = message.reply.unwrap();
            link.client.publish(inbox, Bytes::new()).await.unwrap();
            message.payload
        };
        let (answer, received) = tokio::join!(confirmed_once(link, &reply, ACK), answering);
        assert_eq!((answer, received), (Some(true), ACK));
    }
}
