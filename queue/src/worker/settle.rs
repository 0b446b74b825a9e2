//! Making what was decided true on the server.

use std::time::Duration;

use async_nats::{Subject, client::Request};
use bytes::Bytes;

use crate::connection::Link;

/// How long the server may take to confirm. Shorter than the shortest lease, so that a lost confirmation is asked for again while the message
/// is still ours.
const CONFIRM: Duration = Duration::from_secs(5);

/// Attempts at a confirmation. More is not worth it: the message comes again, and its handler finds that all is done.
const ATTEMPTS: usize = 2;

/// "Done", confirmed by the server. False where no confirmation came.
pub(super) async fn ack(link: &Link, reply: &Subject) -> bool {
    confirmed(link, reply, Bytes::from_static(b"+ACK")).await
}

/// "Never again", confirmed by the server.
pub(super) async fn term(link: &Link, reply: &Subject, reason: &str) -> bool {
    // The reason shows up in the server's advisory, which is one line.
    let line = reason.lines().next().unwrap_or_default();
    let short: String = line.chars().take(200).collect();
    confirmed(link, reply, format!("+TERM {short}").into()).await
}

/// "Not me": for anybody else, after `pause`. Without one the server delivers again at once.
pub(super) async fn hand_back(link: &Link, reply: &Subject, pause: Duration) {
    let body = match pause.as_nanos() {
        0 => Bytes::from_static(b"-NAK"),
        nanos => format!(r#"-NAK {{"delay": {nanos}}}"#).into(),
    };
    let _ = link.client.publish(reply.clone(), body).await;
}

/// "Still at it": the lease begins anew.
pub(super) async fn progress(link: &Link, reply: &Subject) {
    let _ = link
        .client
        .publish(reply.clone(), Bytes::from_static(b"+WPI"))
        .await;
}

/// async-nats' own double ack takes any reply for a confirmation, also the 503 that says that the consumer is gone. A status is a no.
async fn confirmed(link: &Link, reply: &Subject, body: Bytes) -> bool {
    for _ in 0..ATTEMPTS {
        let connects = link.connects();
        let request = Request::new().payload(body.clone()).timeout(Some(CONFIRM));
        let answer = tokio::select! {
            answer = link.client.send_request(reply.clone(), request) => answer,
            () = link.remade(connects) => continue,
        };
        match answer {
            Ok(message) => return message.status.is_none(),
            Err(error) if error.kind() == async_nats::RequestErrorKind::TimedOut => {}
            Err(_) => return false,
        }
    }
    false
}
