//! Making what was decided true on the server.

use std::time::Duration;

use async_nats::{Subject, client::Request};
use bytes::Bytes;

use crate::connection::Link;

/// How long the server may take to confirm. Shorter than the shortest lease, so that a lost confirmation is asked for again while the message
/// is still ours.
const CONFIRM: Duration = Duration::from_secs(5);

/// Attempts at a confirmation. More is not worth it: the message comes again, and its handler finds that all is done.
pub(super) const ATTEMPTS: usize = 2;

/// "Done".
pub(super) const ACK: Bytes = Bytes::from_static(b"+ACK");

/// "Never again".
pub(super) fn term(reason: &str) -> Bytes {
    // The reason shows up in the server's advisory, which is one line.
    let line = reason.lines().next().unwrap_or_default();
    let short: String = line.chars().take(200).collect();
    format!("+TERM {short}").into()
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

/// Says `body` and waits for the server's confirmation; None where none came in time, or the connection was made anew.
///
/// async-nats' own double ack takes any reply for a confirmation, also the 503 that says that the consumer is gone. A status is a no.
pub(super) async fn confirmed(link: &Link, reply: &Subject, body: Bytes) -> Option<bool> {
    let connects = link.connects();
    let request = Request::new().payload(body).timeout(Some(CONFIRM));
    let answer = tokio::select! {
        answer = link.client.send_request(reply.clone(), request) => answer,
        () = link.remade(connects) => return None,
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
    async fn only_an_answer_confirms_and_a_status_is_none() {
        let server = NatsServer::start();
        let options = ConnectOptions {
            servers: server.url(),
            ..ConnectOptions::default()
        };
        let connection = connect(&options).await.unwrap();
        let link = connection.consuming();
        link.remade(0).await;
        let reply = Subject::from("$JS.ACK.S.uploader.1.1.1.1.0");
        let said = confirmed(link, &reply, ACK).await;
        assert_eq!(said, Some(false), "503: nobody is there");

        let mut listener = link.client.subscribe(reply.clone()).await.unwrap();
        let answering = async {
            let message = listener.next().await.unwrap();
            let inbox = message.reply.unwrap();
            link.client.publish(inbox, Bytes::new()).await.unwrap();
            message.payload
        };
        let (said, heard) = tokio::join!(confirmed(link, &reply, ACK), answering);
        assert_eq!((said, heard), (Some(true), ACK));
    }
}
