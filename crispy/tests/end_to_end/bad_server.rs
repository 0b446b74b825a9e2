//! NATS servers that cannot be used.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener},
    thread,
};

use crate::house::{
    House,
    server::{Monitored, free_port},
    video,
};

#[test]
fn no_nats_server_on_path() {
    let house = House::new();
    fs::create_dir(house.path("nothing")).unwrap();
    house
        .up(&[])
        .flag("--camera", camera())
        .env("PATH", house.path("nothing"))
        .run()
        .with_code(40)
        .saying(&["nats-server", "PATH", "make setup"]);
    house.nothing_is_half_done();
}

#[test]
fn no_nats_server_where_one_was_named() {
    let house = House::new();
    let nowhere = house.path("nowhere").display().to_string();
    house
        .up(&[])
        .flag("--camera", camera())
        .flag("--nats-server-bin", &nowhere)
        .run()
        .with_code(40)
        .saying(&[&nowhere, "make setup"]);
    house.nothing_is_half_done();
}

#[test]
fn a_nats_server_that_is_too_old() {
    let house = House::new();
    let old = format!("nats://127.0.0.1:{}", speaks_as("2.9.0"));
    house
        .up(&[])
        .flag("--camera", camera())
        .flag("--nats-server", &old)
        .run()
        .with_code(41)
        .saying(&["2.9.0", "2.11"]);
    house.nothing_is_half_done();
}

#[test]
fn a_port_that_is_taken() {
    let house = House::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    house
        .up(&[])
        .flag("--camera", camera())
        .flag("--nats-port", &port)
        .run()
        .with_code(42)
        .saying(&[&port, "--nats-port"]);
    house.nothing_is_half_done();
}

#[test]
fn a_port_that_is_free_is_used() {
    let house = House::new();
    let port = free_port().to_string();
    let ended = house
        .up(&[])
        .flag("--camera", camera())
        .flag("--nats-port", &port)
        .run()
        .with_code(0);
    assert!(ended.answers().count("chunks") > 0);
    let config = fs::read_to_string(house.path("data/nats/nats.conf")).unwrap();
    assert!(config.contains(&format!("127.0.0.1:{port}")), "{config}");
}

#[test]
fn a_server_that_cannot_be_reached() {
    let house = House::new();
    let nobody = format!("nats://127.0.0.1:{}", free_port());
    house
        .up(&[])
        .flag("--camera", camera())
        .flag("--nats-server", &nobody)
        .run()
        .with_code(43)
        .saying(&[&nobody]);
    house.nothing_is_half_done();
    for (name, arguments) in daemons(&house) {
        let daemon = house.program(name).flag("--nats-server", &nobody);
        let daemon = daemon.env("CRISPY_LOG_FORMAT", "text");
        let daemon = arguments
            .into_iter()
            .fold(daemon, |daemon, (flag, value)| daemon.flag(flag, value));
        daemon.run().with_code(43).saying(&[&nobody]);
    }
}

#[test]
fn a_server_without_streams_is_an_error_that_names_crispy_setup() {
    let (house, server) = (House::new(), Monitored::start());
    for (name, arguments) in daemons(&house) {
        let daemon = house.program(name).flag("--nats-server", server.url());
        let daemon = daemon.env("CRISPY_LOG_FORMAT", "text");
        let daemon = arguments
            .into_iter()
            .fold(daemon, |daemon, (flag, value)| daemon.flag(flag, value));
        daemon
            .run()
            .with_code(44)
            .saying(&["CRISPY_", "crispy setup"]);
    }
    assert_eq!(server.streams(), Vec::<String>::new());
    assert!(house.chunks_in(&house.path("spool")).is_empty());
}

#[test]
fn a_server_that_refuses_the_credentials() {
    let house = House::new();
    let server = Monitored::start_with("authorization { user: crispy, password: right }");
    let ended = house
        .up(&[])
        .flag("--camera", camera())
        .flag("--nats-server", server.url_with("crispy:wrong"))
        .run()
        .with_code(45)
        .saying(&[server.url().trim_start_matches("nats://"), "credentials"]);
    assert!(ended.stderr_with("wrong").is_empty(), "{ended}");
    house.nothing_is_half_done();
}

fn camera() -> String {
    format!("front={}", video::irregular().display())
}

/// The three daemons, each with the flags that it cannot do without.
fn daemons(house: &House) -> [(&'static str, Vec<(&'static str, String)>); 3] {
    let spool = ("--spool", house.path("spool").display().to_string());
    let bucket = ("--bucket", house.bucket().url());
    [
        (
            "crispy-ingestor",
            vec![("--camera", camera()), spool.clone()],
        ),
        ("crispy-uploader", vec![spool, bucket.clone()]),
        ("crispy-inspector", vec![bucket]),
    ]
}

/// A port on which somebody says that it is a nats-server of this version, and answers pings.
fn speaks_as(version: &str) -> u16 {
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
