//! What must not be said, and whom not to speak to.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use crate::house::{
    House,
    planted::Planted,
    processes::all_children,
    server::{Monitored, free_port},
    video,
};

const SECRET: &str = "sEcrEt-1234";

#[test]
fn a_server_that_the_environment_names_is_not_spoken_to() {
    let house = House::new();
    let production = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("nats://{}", production.local_addr().unwrap());
    let context = house.path("production.json");
    fs::write(&context, format!(r#"{{"url": "{url}"}}"#)).unwrap();
    house
        .up(&[("front", &video::irregular())])
        .env("NATS_URL", url)
        .env("NATS_CONTEXT", context)
        .env("NATS_USER", "operator")
        .env("NATS_PASSWORD", SECRET)
        .run()
        .with_code(0);
    production.set_nonblocking(true).unwrap();
    let came = production.accept().map(|(_, who)| who);
    assert_eq!(came.unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_server_that_a_flag_names_is_used_and_its_password_is_nowhere_to_be_seen() {
    let house = House::new();
    let server =
        Monitored::start_with(&format!("authorization {{ user: op, password: {SECRET} }}"));
    let mut up = house
        .up(&[("front", &video::many(300))])
        .flag("--window", "1s")
        .flag("--nats-server", server.url_with(&format!("op:{SECRET}")))
        .start();
    up.until_stdout_lines(5);
    planted().is_no_argument_of_children_of(up.pid());
    let ended = up.end().with_code(0);
    assert!(server.streams().contains(&"CRISPY_CHUNKS".to_owned()));
    planted().is_not_said_by(&ended);
    planted().is_not_below(&house.path("."));
}

#[test]
fn a_password_in_the_environment_is_used_for_a_server_that_a_flag_names() {
    let house = House::new();
    let server =
        Monitored::start_with(&format!("authorization {{ user: op, password: {SECRET} }}"));
    let ended = house
        .up(&[("front", &video::irregular())])
        .flag("--nats-server", server.url())
        .env("NATS_USER", "op")
        .env("NATS_PASSWORD", SECRET)
        .env("NATS_CONTEXT", "of-another-server")
        .run()
        .with_code(0);
    planted().is_not_said_by(&ended);
    planted().is_not_below(&house.path("."));
}

#[test]
fn a_server_that_is_not_there_is_named_without_its_password() {
    let house = House::new();
    let nobody = format!("nats://op:{SECRET}@127.0.0.1:{}", free_port());
    let ended = house
        .up(&[("front", &video::irregular())])
        .flag("--nats-server", nobody)
        .env("CRISPY_LOG_LEVEL", "debug")
        .run()
        .with_code(43);
    planted().is_not_said_by(&ended);
}

#[test]
fn a_camera_that_is_not_there_is_named_without_its_password() {
    let house = House::new();
    let address = format!("rtsp://admin:{SECRET}@127.0.0.1:{}/main", free_port());
    let up = house.up(&[("front", Path::new(&address))]);
    let ended = up.env("CRISPY_LOG_LEVEL", "debug").run();
    assert!(!ended.status.success(), "{ended}");
    assert!(!ended.stderr_with("127.0.0.1").is_empty(), "{ended}");
    planted().is_not_said_by(&ended);
    planted().is_not_below(&house.path("."));
    house.nothing_is_half_done();
}

#[test]
fn our_own_server_listens_to_this_machine_only() {
    let house = House::new();
    let mut up = house
        .up(&[("front", &video::many(300))])
        .flag("--window", "1s")
        .start();
    up.until_stdout_lines(1);
    let [server, ..] = all_children(&up);
    let listening = listening_addresses(server);
    assert!(!listening.is_empty());
    assert!(
        listening
            .iter()
            .all(|address| address.starts_with("0100007F:")),
        "{listening:?}"
    );
}

fn planted() -> Planted {
    Planted::new([SECRET])
}

/// Local addresses of the TCP sockets on which a process listens, as /proc/net/tcp writes them: 127.0.0.1 is `0100007F`.
fn listening_addresses(pid: u32) -> Vec<String> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("a process of ours");
    let links = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let sockets: Vec<String> = links
        .filter_map(|link| {
            let link = link.to_string_lossy().into_owned();
            Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|table| {
            let rows = table.lines().skip(1).map(str::to_owned);
            rows.collect::<Vec<_>>()
        })
        .filter_map(|row| {
            let fields: Vec<&str> = row.split_whitespace().collect();
            // State 0A is LISTEN; the tenth field is the socket's inode.
            let ours = fields.get(3) == Some(&"0A") && sockets.iter().any(|s| s == fields[9]);
            ours.then(|| fields[1].to_owned())
        })
        .collect()
}
