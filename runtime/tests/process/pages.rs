//! The admin pages.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{program::Program, reporter};

/// The address of the pages, from the log.
pub(crate) fn address(program: &mut Program) -> SocketAddr {
    let line = program.line_with("admin pages");
    let address = line.split(r#""address":""#).nth(1).expect("its address");
    let address = address.split('"').next().unwrap_or_default();
    address.parse().expect("an address")
}

/// The status and the text of a page.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("the pages are there");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a time-out");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )
    .expect("ask");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let text = answer.split_once("\r\n\r\n").expect("a body").1;
    (status.expect("a status"), text.to_owned())
}

/// Gets a page until it has this status.
fn until(address: SocketAddr, path: &str, status: u16) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (is, text) = get(address, path);
        if is == status {
            return text;
        }
        assert!(Instant::now() < deadline, "{path} is {is}: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_working_program_is_alive_and_ready() {
    let mut program = reporter(&["--admin-listen", "127.0.0.1:0"], &[]);
    let address = address(&mut program);
    program.line_with("reported");
    assert_eq!(get(address, "/livez"), (200, "alive\n".into()));
    assert_eq!(get(address, "/readyz"), (200, "ready\n".into()));
    let (status, version) = get(address, "/version");
    let expected = format!(
        "{{\"program\":\"crispy-reporter\",\"version\":\"{}\"}}\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!((status, version), (200, expected));
    assert_eq!(get(address, "/nowhere").0, 404);
}

#[test]
fn an_unready_program_gives_reasons_and_is_alive() {
    let mut program = reporter(
        &["--bucket-unavailable", "--admin-listen", "127.0.0.1:0"],
        &[],
    );
    let address = address(&mut program);
    program.line_with("reported");
    let reason = "bucket: it does not answer; check the network\n";
    assert_eq!(get(address, "/readyz"), (503, reason.into()));
    assert_eq!(get(address, "/livez").0, 200);
}

#[test]
fn a_stopping_program_is_not_ready() {
    let mut program = reporter(&["--lingers", "5m", "--admin-listen", "127.0.0.1:0"], &[]);
    let address = address(&mut program);
    program.line_with("reported");
    assert_eq!(get(address, "/readyz").0, 200);
    program.signal(Signal::TERM);
    assert_eq!(until(address, "/readyz", 503), "program: it is stopping\n");
    assert_eq!(get(address, "/livez").0, 200);
}

#[test]
fn a_stuck_program_is_not_alive() {
    let mut program = reporter(
        &["--stuck", "5m", "--admin-listen", "127.0.0.1:0"],
        &[
            // There is no systemd: the variable only sets the time.
            ("NOTIFY_SOCKET", "/nonexistent"),
            ("WATCHDOG_USEC", "400000"),
        ],
    );
    let address = address(&mut program);
    let stuck = until(address, "/livez", 503);
    assert!(stuck.contains("have not run for"), "{stuck}");
}

#[test]
fn a_taken_port_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let mut program = reporter(&["--admin-listen", &address], &[]);
    let line = program.line_with("error:");
    assert!(
        line.contains(&format!("--admin-listen {address}")) && line.contains("another process"),
        "{line}"
    );
    assert_eq!(
        program.code(),
        Some(i32::from(crispy_runtime::Exit::PortTaken.code()))
    );
    let mut program = reporter(&["--admin-listen", "no address"], &[]);
    assert!(program.line_with("error:").contains("127.0.0.1:9464"));
    assert_eq!(
        program.code(),
        Some(i32::from(crispy_runtime::Exit::Configuration.code()))
    );
}

#[test]
fn idle_connections_take_few_descriptors() {
    let mut program = reporter(&["--admin-listen", "127.0.0.1:0"], &[]);
    let address = address(&mut program);
    program.line_with("reported");
    let idle: Vec<TcpStream> = (0..130)
        .map(|n| {
            let mut stream = TcpStream::connect(address).expect("the pages are there");
            // Half of them send nothing, half an incomplete request.
            if n % 2 == 0 {
                stream.write_all(b"GET /livez HT").expect("ask");
            }
            stream
        })
        .collect();
    assert_eq!(get(address, "/livez").0, 200);
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", program.child.id()));
    let descriptors = descriptors.expect("a process of ours").count();
    assert!(descriptors < 100, "{descriptors} are open");
    drop(idle);
}
