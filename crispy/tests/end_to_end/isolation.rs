//! `crispy up` connects only to servers that flags name, and listens on this machine only.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
};

use crate::fixture::{Fixture, processes::all_children, video};

#[test]
fn no_connection_to_a_server_of_the_environment() {
    let fixture = Fixture::new();
    let production = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("nats://{}", production.local_addr().unwrap());
    let context = fixture.path("production.json");
    fs::write(&context, format!(r#"{{"url": "{url}"}}"#)).unwrap();
    fixture
        .up(&[("front", &video::irregular())])
        .env("NATS_URL", url)
        .env("NATS_CONTEXT", context)
        .env("NATS_USER", "operator")
        .env("NATS_PASSWORD", "sEcrEt-1234")
        .run()
        .with_code(0);
    production.set_nonblocking(true).unwrap();
    let connection = production.accept().map(|(_, client)| client);
    assert_eq!(connection.unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn our_own_server_listens_on_loopback_only() {
    let fixture = Fixture::new();
    let mut up = fixture
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

/// Local addresses of a process's listening TCP sockets, in the form of /proc/net/tcp: 127.0.0.1 is
/// `0100007F`.
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
