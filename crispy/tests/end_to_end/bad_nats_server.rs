//! Mistakes with nats-servers: each has an exit code and a message, and leaves nothing behind.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    thread,
};

use crate::fixture::{
    Fixture,
    nats::{MonitoredNats, free_port},
    program::Program,
    video,
};

#[test]
fn a_missing_nats_server_on_path() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("nothing")).unwrap();
    fixture
        .up(&[("front", &video::irregular())])
        .env("PATH", fixture.path("nothing"))
        .run()
        .with_code(40)
        .with_message(&["nats-server", "PATH", "make setup"]);
    fixture.nothing_is_left_behind();
}

#[test]
fn a_missing_nats_server_program() {
    let fixture = Fixture::new();
    let nowhere = fixture.path("nowhere").display().to_string();
    fixture
        .up(&[("front", &video::irregular())])
        .flag("--nats-server-bin", &nowhere)
        .run()
        .with_code(40)
        .with_message(&[&nowhere, "make setup"]);
    fixture.nothing_is_left_behind();
}

#[test]
fn a_nats_server_that_is_too_old() {
    let fixture = Fixture::new();
    let old = format!("nats://127.0.0.1:{}", fake_server("2.9.0"));
    fixture
        .up(&[("front", &video::irregular())])
        .flag("--nats-server", &old)
        .run()
        .with_code(41)
        .with_message(&["2.9.0", "2.11"]);
    fixture.nothing_is_left_behind();
}

#[test]
fn a_port_in_use() {
    let fixture = Fixture::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fixture
        .up(&[("front", &video::irregular())])
        .flag("--nats-port", &port)
        .run()
        .with_code(42)
        .with_message(&[&port, "--nats-port"]);
    fixture.nothing_is_left_behind();
}

#[test]
fn a_free_port_is_used() {
    let fixture = Fixture::new();
    let port = free_port().to_string();
    let exited = fixture
        .up(&[("front", &video::irregular())])
        .flag("--nats-port", &port)
        .run()
        .with_code(0);
    assert!(exited.output().count("chunks") > 0);
    let config = fs::read_to_string(fixture.path("data/nats/nats.conf")).unwrap();
    assert!(config.contains(&format!("127.0.0.1:{port}")), "{config}");
}

#[test]
fn an_unreachable_server() {
    let fixture = Fixture::new();
    let unreachable = format!("nats://127.0.0.1:{}", free_port());
    fixture
        .up(&[("front", &video::irregular())])
        .flag("--nats-server", &unreachable)
        .run()
        .with_code(43)
        .with_message(&[&unreachable]);
    fixture.nothing_is_left_behind();
    for daemon in daemons(&fixture) {
        let daemon = daemon.env("CRISPY_LOG_FORMAT", "text");
        let exited = daemon.flag("--nats-server", &unreachable).run();
        exited.with_code(43).with_message(&[&unreachable]);
    }
}

#[test]
fn missing_streams_are_an_error_that_names_setup() {
    let (fixture, server) = (Fixture::new(), MonitoredNats::start());
    for daemon in daemons(&fixture) {
        daemon
            .server(&server)
            .run()
            .with_code(44)
            .with_message(&["CRISPY_", "crispy setup"]);
    }
    assert_eq!(server.streams(), Vec::<String>::new());
    assert!(fixture.chunks_in(&fixture.path("spool")).is_empty());
}

#[test]
fn refused_credentials() {
    let fixture = Fixture::new();
    let server = MonitoredNats::start_with("authorization { user: crispy, password: right }");
    let exited = fixture
        .up(&[("front", &video::irregular())])
        .flag("--nats-server", server.url_with("crispy:wrong"))
        .run()
        .with_code(45)
        .with_message(&[server.url().trim_start_matches("nats://"), "credentials"]);
    assert!(exited.stderr_with("wrong").is_empty(), "{exited}");
    fixture.nothing_is_left_behind();
}

fn daemons(fixture: &Fixture) -> [Program; 3] {
    [
        fixture.ingestor("front", &video::irregular()),
        fixture.uploader(),
        fixture.inspector(),
    ]
}

/// The port of a fake nats-server of this version that answers pings.
fn fake_server(version: &str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let hello = format!(
        "INFO {{\"server_id\":\"OLD\",\"server_name\":\"old\",\"version\":\"{version}\",\"proto\":1,\"host\":\"127.0.0.1\",\"port\":{port},\"headers\":true,\"max_payload\":1048576,\"jetstream\":true}}\r\n"
    );
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let hello = hello.clone();
            thread::spawn(move || {
                let mut answer = &client;
                answer.write_all(hello.as_bytes())?;
                for line in BufReader::new(&client).lines() {
                    if line?.starts_with("PING") {
                        answer.write_all(b"PONG\r\n")?;
                    }
                }
                Ok::<_, std::io::Error>(())
            });
        }
    });
    port
}
