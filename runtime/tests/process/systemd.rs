//! Notifications to a socket like systemd's.

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

    /// By an abstract name, as where there is no shared file system.
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

    /// Fills the socket.
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
    fn until(&self, expected: &str) -> HashSet<String> {
        let mut lines = HashSet::new();
        while !lines.contains(expected) {
            let message = self.next();
            let message = message.unwrap_or_else(|| panic!("no {expected}, only {lines:?}"));
            lines.extend(message.lines().map(str::to_owned));
        }
        lines
    }
}

#[test]
fn start_status_and_stop_are_notified() {
    let systemd = Systemd::start();
    let mut program = systemd.reporter(&["--bucket-unavailable"], &[]);
    program.line_with("reported");
    systemd.until("READY=1");
    let program = systemd.reporter(&["--bucket-unavailable"], &[]);
    let lines = systemd.until("STATUS=bucket: it does not answer; check the network");
    assert!(!lines.contains("WATCHDOG=1"), "there is no watchdog");
    program.signal(Signal::TERM);
    systemd.until("STOPPING=1");
}

#[test]
fn the_watchdog_is_notified_unless_stuck() {
    let watchdog = ("WATCHDOG_USEC", "600000");
    let systemd = Systemd::start();
    let _living = systemd.reporter(&[], &[watchdog]);
    for _ in 0..8 {
        systemd.until("WATCHDOG=1");
    }
    let systemd = Systemd::start();
    let mut stuck = systemd.reporter(&["--stuck", "5m"], &[watchdog]);
    stuck.line_with("reported");
    // Three times the watchdog's time: systemd would have killed it.
    let silence = Duration::from_millis(1800);
    systemd
        .socket
        .set_read_timeout(Some(silence))
        .expect("a time-out");
    let mut notifications = 0;
    while systemd.next().is_some() {
        notifications += 1;
        assert!(notifications < 50, "it counts as alive");
    }
}

#[test]
fn an_abstract_name_works_too() {
    let systemd = Systemd::start_without_a_path();
    let _rung = systemd.reporter(&[], &[]);
    systemd.until("READY=1");
}

#[test]
fn a_manager_that_does_not_read_blocks_nothing() {
    let systemd = Systemd::start();
    systemd.fill();
    let flags = ["--admin-listen", "127.0.0.1:0"];
    let mut program = systemd.reporter(&flags, &[("WATCHDOG_USEC", "600000")]);
    let pages = address(&mut program);
    assert_eq!(get(pages, "/livez").0, 200);
    let lines = systemd.until("READY=1");
    assert!(lines.contains("WATCHDOG=1"), "{lines:?}");
    systemd.fill();
    program.signal(Signal::TERM);
    program.line_with("stopped");
    assert_eq!(program.code(), Some(0));
    systemd
        .reporter(&[], &[])
        .line_with("failed to notify systemd");
}

#[test]
fn a_zero_watchdog_and_an_empty_address_are_none() {
    let systemd = Systemd::start();
    let _rung = systemd.reporter(&[], &[("WATCHDOG_USEC", "0")]);
    assert!(!systemd.until("STATUS=ready").contains("WATCHDOG=1"));
    let mut program = reporter(&["--ends"], &[("NOTIFY_SOCKET", "")]);
    program.line_with("stopped");
}
