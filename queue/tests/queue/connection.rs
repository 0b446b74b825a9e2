//! Getting a connection, and what is said when there is none.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use crispy_jetstream::connect;
use crispy_jetstream::{ConnectError, ConnectOptions};
use crispy_testbed::{NatsOptions, NatsServer};

use crate::scene::{eventually, options};

#[tokio::test]
async fn an_absent_server_is_named_when_the_wait_is_over() {
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
async fn a_server_that_is_still_starting_is_waited_for() {
    let mut server = NatsServer::start();
    server.kill9();
    let settings = options(&server);
    let connecting = tokio::spawn(async move { connect(&settings).await });
    tokio::task::yield_now().await;
    server.restart();
    connecting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_refused_at_once_and_not_repeated() {
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
async fn credentials_in_the_url_let_both_links_in() {
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
async fn a_server_that_is_too_old_is_refused_with_both_versions() {
    let error = connect_to_version("2.10.29").await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, ConnectError::TooOld { .. }), "{error:?}");
    assert!(
        said.contains("2.10.29") && said.contains("2.11.0"),
        "{said}"
    );
}

#[tokio::test]
async fn a_server_older_than_the_tested_one_is_taken_with_a_warning() {
    let connection = connect_to_version("2.12.3").await.unwrap();
    assert!(connection.warning().unwrap().contains("2.12.3"));
    let connection = connect_to_version("2.15.1").await.unwrap();
    assert_eq!(connection.warning(), None);
}

#[tokio::test]
async fn a_lost_server_shows_in_the_state_and_its_return_too() {
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

/// The greeting of a server of that version: no such server runs here.
async fn connect_to_version(
    version: &'static str,
) -> Result<crispy_jetstream::Connection, ConnectError> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let servers = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let info = format!("INFO {{\"version\":\"{version}\",\"max_payload\":1048576}}\r\n");
        stream.write_all(info.as_bytes()).unwrap();
        let mut said = [0; 4096];
        // Whatever the client says, it gets its pong, until it leaves.
        while stream.read(&mut said).is_ok_and(|read| read > 0) {
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
