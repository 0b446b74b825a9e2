//! What systemd hears, on a socket like systemd's.

use std::{
    collections::HashSet,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    pages::{address, get},
    program::Program,
    reporter,
};

struct Systemd {
    socket: UnixDatagram,
    path: String,
    _folder: TempDir,
}

impl Systemd {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let path = path.to_str().expect("a path of ours").to_owned();
        Self::at(socket, path, folder)
    }

    /// As where there is no file system to share: by a name, without a path.
    fn start_without_a_path() -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let name = folder.path().to_str().expect("a path of ours").to_owned();
        let address = SocketAddr::from_abstract_name(&name).expect("an address");
        let socket = UnixDatagram::bind_addr(&address).expect("a socket");
        Self::at(socket, format!("@{name}"), folder)
    }

    fn at(socket: UnixDatagram, path: String, folder: TempDir) -> Self {
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a time-out");
        Self {
            socket,
            path,
            _folder: folder,
        }
    }

    /// Whatever it has room for is there already.
    fn fill(&self) {
        let full = UnixDatagram::unbound().expect("a socket");
        full.set_nonblocking(true).expect("a socket of ours");
        while full.send_to(b"X=1", &self.path).is_ok() {}
    }

    fn reporter(&self, flags: &[&str], variables: &[(&str, &str)]) -> Program {
        let mut all = vec![("NOTIFY_SOCKET", self.path.as_str())];
        all.extend(variables);
        reporter(flags, &all)
    }

    fn next(&self) -> Option<String> {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(&message[..length]).into_owned())
    }

    /// Every line until one of them is this.
    fn until(&self, wished: &str) -> HashSet<String> {
        let mut heard = HashSet::new();
        while !heard.contains(wished) {
            let message = self.next();
            let message = message.unwrap_or_else(|| panic!("no {wished}, only {heard:?}"));
            heard.extend(message.lines().map(str::to_owned));
        }
        heard
    }
}

#[test]
fn it_hears_of_the_start_of_how_it_stands_and_of_the_stop() {
    let systemd = Systemd::start();
    let mut program = systemd.reporter(&["--bucket-away"], &[]);
    program.line_with("told");
    systemd.until("READY=1");
    let program = systemd.reporter(&["--bucket-away"], &[]);
    let heard = systemd.until("STATUS=bucket: it does not answer; check the network");
    assert!(!heard.contains("WATCHDOG=1"), "nobody asked for it");
    program.signal(Signal::TERM);
    systemd.until("STOPPING=1");
}

#[test]
fn the_watchdog_hears_of_a_program_that_lives_and_not_of_one_that_is_stuck() {
    let watchdog = ("WATCHDOG_USEC", "600000");
    let systemd = Systemd::start();
    let _living = systemd.reporter(&[], &[watchdog]);
    for _ in 0..8 {
        systemd.until("WATCHDOG=1");
    }
    let systemd = Systemd::start();
    let mut stuck = systemd.reporter(&["--stuck", "5m"], &[watchdog]);
    stuck.line_with("told");
    // Silence for three times the watchdog's patience: systemd would have killed it.
    let silence = Duration::from_millis(1800);
    systemd
        .socket
        .set_read_timeout(Some(silence))
        .expect("a time-out");
    let mut words = 0;
    while systemd.next().is_some() {
        words += 1;
        assert!(words < 50, "it says that it lives");
    }
}

#[test]
fn it_hears_by_a_name_without_a_path_too() {
    let systemd = Systemd::start_without_a_path();
    let _rung = systemd.reporter(&[], &[]);
    systemd.until("READY=1");
}

#[test]
fn one_that_does_not_read_holds_nothing_up_and_hears_all_of_it_when_it_does() {
    let systemd = Systemd::start();
    systemd.fill();
    let flags = ["--admin-listen", "127.0.0.1:0"];
    let mut program = systemd.reporter(&flags, &[("WATCHDOG_USEC", "600000")]);
    let pages = address(&mut program);
    assert_eq!(get(pages, "/livez").0, 200);
    let heard = systemd.until("READY=1");
    assert!(heard.contains("WATCHDOG=1"), "{heard:?}");
    systemd.fill();
    program.signal(Signal::TERM);
    program.line_with("stopped");
    assert_eq!(program.code(), Some(0));
    systemd
        .reporter(&[], &[])
        .line_with("systemd cannot be told");
}

#[test]
fn a_watchdog_of_no_time_is_none_and_an_empty_address_nobody() {
    let systemd = Systemd::start();
    let _rung = systemd.reporter(&[], &[("WATCHDOG_USEC", "0")]);
    assert!(!systemd.until("STATUS=ready").contains("WATCHDOG=1"));
    let mut program = reporter(&["--ends"], &[("NOTIFY_SOCKET", "")]);
    program.line_with("stopped");
}
