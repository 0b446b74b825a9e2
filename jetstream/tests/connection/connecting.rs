//! First connections, and their errors.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use crispy_jetstream::{ConnectError, ConnectOptions, connect};
use crispy_testbed::{NatsOptions, NatsServer};

use crate::{eventually, options};

#[tokio::test]
async fn an_unreachable_server_is_named_after_the_wait() {
    let mut server = NatsServer::start();
    server.kill9();
    let begun = Instant::now();
    let error = connect(&ConnectOptions {
        wait: Duration::from_millis(300),
        ..options(&server)
    })
    .await
    .unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains(&server.url()), "{error}");
}

#[tokio::test]
async fn a_starting_server_is_waited_for() {
    let mut server = NatsServer::start();
    server.kill9();
    let settings = options(&server);
    let connecting = tokio::spawn(async move { connect(&settings).await });
    tokio::task::yield_now().await;
    server.restart();
    connecting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_refused_at_once_and_never_printed() {
    let server = NatsServer::start_with(&NatsOptions {
        config: "authorization { user: ann, password: right }".into(),
        ..NatsOptions::default()
    });
    let begun = Instant::now();
    let error = connect(&ConnectOptions {
        servers: server.url().replace("nats://", "nats://ann:wr0ng@"),
        ..ConnectOptions::default()
    })
    .await
    .unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("wr0ng"));
}

#[tokio::test]
async fn credentials_in_the_url_serve_both_links() {
    let server = NatsServer::start_with(&NatsOptions {
        config: "authorization { user: ann, password: right }".into(),
        ..NatsOptions::default()
    });
    let connection = connect(&ConnectOptions {
        servers: server.url().replace("nats://", "nats://ann:right@"),
        ..ConnectOptions::default()
    })
    .await
    .unwrap();
    connection.publisher().await;
    connection.flush().await.unwrap();
    connection.close().await;
}

#[tokio::test]
async fn an_old_server_is_refused_with_both_versions() {
    let error = connect_to_version("2.10.29").await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, ConnectError::TooOld { .. }), "{error:?}");
    assert!(
        text.contains("2.10.29") && text.contains("2.11.0"),
        "{text}"
    );
}

#[tokio::test]
async fn an_untested_server_is_accepted_with_a_warning() {
    let connection = connect_to_version("2.12.3").await.unwrap();
    assert!(connection.warning().unwrap().contains("2.12.3"));
    let connection = connect_to_version("2.15.1").await.unwrap();
    assert_eq!(connection.warning(), None);
}

#[tokio::test]
async fn loss_and_return_of_a_server_show_in_the_state() {
    let mut server = NatsServer::start();
    let connection = connect(&options(&server)).await.unwrap();
    let state = connection.state();
    eventually(async || state.borrow().connected).await;
    let connects = state.borrow().connects;
    server.kill9();
    eventually(async || !state.borrow().connected).await;
    server.restart();
    let back = Instant::now();
    eventually(async || state.borrow().connected).await;
    assert!(back.elapsed() < Duration::from_secs(2));
    assert!(state.borrow().connects > connects);
}

/// Connects to a listener that greets as a server of that version.
async fn connect_to_version(
    version: &'static str,
) -> Result<crispy_jetstream::Connection, ConnectError> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let servers = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let info = format!("INFO {{\"version\":\"{version}\",\"max_payload\":1048576}}\r\n");
        stream.write_all(info.as_bytes()).unwrap();
        let mut buffer = [0; 4096];
        // It answers everything with a pong, until the client leaves.
        while stream.read(&mut buffer).is_ok_and(|read| read > 0) {
            if stream.write_all(b"PONG\r\n").is_err() {
                break;
            }
        }
    });
    connect(&ConnectOptions {
        servers,
        ..ConnectOptions::default()
    })
    .await
}
