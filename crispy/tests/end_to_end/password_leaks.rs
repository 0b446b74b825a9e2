//! Passwords in addresses and variables: used, and shown nowhere.

use std::path::Path;

use crate::fixture::{
    Fixture,
    nats::{MonitoredNats, free_port},
    secrets::Secrets,
    video,
};

const SECRET: &str = "sEcrEt-1234";

#[test]
fn the_password_of_a_server_url_is_shown_nowhere() {
    let fixture = Fixture::new();
    let server =
        MonitoredNats::start_with(&format!("authorization {{ user: op, password: {SECRET} }}"));
    let mut up = fixture
        .up(&[("front", &video::many(300))])
        .flag("--window", "1s")
        .flag("--nats-server", server.url_with(&format!("op:{SECRET}")))
        .start();
    up.until_stdout_lines(5);
    secrets().are_not_arguments_of_children(up.pid());
    let exited = up.end().with_code(0);
    assert!(server.streams().contains(&"CRISPY_CHUNKS".to_owned()));
    secrets().are_not_in_output(&exited);
    secrets().are_not_below(&fixture.path("."));
}

#[test]
fn a_password_of_the_environment_is_used_and_shown_nowhere() {
    let fixture = Fixture::new();
    let server =
        MonitoredNats::start_with(&format!("authorization {{ user: op, password: {SECRET} }}"));
    let exited = fixture
        .up(&[("front", &video::irregular())])
        .flag("--nats-server", server.url())
        .env("NATS_USER", "op")
        .env("NATS_PASSWORD", SECRET)
        .env("NATS_CONTEXT", "of-another-server")
        .run()
        .with_code(0);
    secrets().are_not_in_output(&exited);
    secrets().are_not_below(&fixture.path("."));
}

#[test]
fn an_unreachable_server_is_named_without_its_password() {
    let fixture = Fixture::new();
    let unreachable = format!("nats://op:{SECRET}@127.0.0.1:{}", free_port());
    let exited = fixture
        .up(&[("front", &video::irregular())])
        .flag("--nats-server", unreachable)
        .env("CRISPY_LOG_LEVEL", "debug")
        .run()
        .with_code(43);
    secrets().are_not_in_output(&exited);
}

#[test]
fn an_unreachable_camera_is_named_without_its_password() {
    let fixture = Fixture::new();
    let address = format!("rtsp://admin:{SECRET}@127.0.0.1:{}/main", free_port());
    let up = fixture.up(&[("front", Path::new(&address))]);
    let exited = up.env("CRISPY_LOG_LEVEL", "debug").run();
    assert!(!exited.status.success(), "{exited}");
    assert!(!exited.stderr_with("127.0.0.1").is_empty(), "{exited}");
    secrets().are_not_in_output(&exited);
    secrets().are_not_below(&fixture.path("."));
    fixture.nothing_is_left_behind();
}

fn secrets() -> Secrets {
    Secrets::new([SECRET])
}
