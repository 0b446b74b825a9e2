//! What must not be said, and whom not to speak to.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use testbed::{Fault, HttpServer};

use crate::house::{
    House,
    processes::all_children,
    program::Ended,
    server::{Monitored, free_port},
    traces::Traces,
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
    // Anybody on the machine can list the arguments of the daemons.
    for (pid, _) in crate::house::processes::children_of(up.pid()) {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&arguments).contains(SECRET));
    }
    let ended = up.end().with_code(0);
    assert!(server.streams().contains(&"CRISPY_CHUNKS".to_owned()));
    says_nothing(&ended);
    says_nothing_in(&house.path("."));
}

#[test]
fn no_secret_of_camera_server_or_collector_is_in_what_a_collector_is_told() {
    let (house, traces) = (House::new(), Traces::received());
    let nats = Monitored::start_with(&format!("authorization {{ user: op, password: {SECRET} }}"));
    fs::create_dir(house.path("shop")).unwrap();
    fs::copy(video::irregular(), house.path("shop/a.mp4")).unwrap();
    // `cam` with the same secret, as HTTP says it.
    let guard = Fault::Wants("Basic Y2FtOnNFY3JFdC0xMjM0");
    let shop = HttpServer::serve(&house.path("shop"), &[("/a.mp4", guard)]);
    let source = shop.url_with(&format!("cam:{SECRET}"), &format!("/a.mp4?token={SECRET}"));
    let up = house
        .up(&[("front", Path::new(&source))])
        .flag("--nats-server", nats.url_with(&format!("op:{SECRET}")))
        .env(
            "OTEL_EXPORTER_OTLP_HEADERS",
            format!("authorization={SECRET}"),
        );
    let ended = traces.of(up).run().with_code(0);
    let chunks = house.bucket().one_run().len();
    traces.of_chunks(chunks, |trace| trace.count("GET object") > 0);
    traces.receiver().points_when(|points| !points.is_empty());
    let told = format!(
        "{:?} {:?}",
        traces.receiver().spans(),
        traces.receiver().points()
    );
    assert!(!told.contains(SECRET), "{told}");
    let authorized = |headers: &testbed::Attributes| headers["authorization"] == SECRET;
    assert!(traces.receiver().headers().iter().all(authorized));
    says_nothing(&ended);
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
    says_nothing(&ended);
    says_nothing_in(&house.path("."));
}

#[test]
fn a_server_that_is_not_there_is_named_without_its_password() {
    let house = House::new();
    let nobody = format!("nats://op:{SECRET}@127.0.0.1:{}", free_port());
    let ended = house
        .up(&[("front", &video::irregular())])
        .flag("--nats-server", nobody)
        .run()
        .with_code(43);
    says_nothing(&ended);
}

#[test]
fn a_camera_that_is_not_there_is_named_without_its_password() {
    let house = House::new();
    let address = format!("rtsp://admin:{SECRET}@127.0.0.1:{}/main", free_port());
    let ended = house.up(&[("front", Path::new(&address))]).run();
    assert!(!ended.status.success(), "{ended}");
    assert!(!ended.stderr_with("127.0.0.1").is_empty(), "{ended}");
    says_nothing(&ended);
    says_nothing_in(&house.path("."));
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

#[track_caller]
fn says_nothing(ended: &Ended) {
    let said = ended.stdout.iter().chain(&ended.stderr);
    for line in said {
        assert!(!line.contains(SECRET), "{line}");
    }
}

/// No file below a folder holds the secret: no log, no descriptor, no metadata.
#[track_caller]
fn says_nothing_in(folder: &Path) {
    for path in crate::house::bucket::files_below(folder) {
        let bytes = fs::read(&path).unwrap();
        let found = bytes
            .windows(SECRET.len())
            .any(|window| window == SECRET.as_bytes());
        assert!(!found, "{}", path.display());
    }
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
