//! What systemd hears (sd_notify(3)): that the program has started, how it stands, that it is alive, that it stops.
//!
//! For a unit of `Type=notify`, with `WatchdogSec=` if a program that is stuck shall be restarted. Without such a manager nothing is said.
//!
//! A manager that does not read holds up nobody: a word that finds no room is said again with the next look.

use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

use sd_notify::NotifyState;
use tokio::time::interval;
use tracing::warn;

use super::{Heartbeat, Readiness};

/// Between two looks at how the program stands.
const LOOK: Duration = Duration::from_secs(1);

/// The longest line of reasons that systemd is told; it is shown in one line of `systemctl status`.
const STATUS: usize = 400;

/// systemd, if it is there and wants to hear.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    line: Line,
    watchdog: Option<Duration>,
}

/// Where it hears.
#[derive(Debug)]
pub(crate) struct Line {
    socket: UnixDatagram,
    manager: SocketAddr,
}

impl ServiceManager {
    /// The one that started this process.
    ///
    /// # Errors
    /// What `NOTIFY_SOCKET` says is no address of a socket.
    pub(crate) fn from_process() -> io::Result<Option<Self>> {
        let address = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty());
        let Some(address) = address else {
            return Ok(None);
        };
        let line = Line::to(&address)?;
        // The manual's word for none at all.
        let watchdog = sd_notify::watchdog_enabled().filter(|time| !time.is_zero());
        Ok(Some(Self { line, watchdog }))
    }

    /// How long the program may be stuck: no longer than the watchdog waits.
    pub(crate) fn pulse(&self) -> Heartbeat {
        let pulse = Heartbeat::default();
        match self.watchdog {
            Some(watchdog) => Heartbeat::with_patience(watchdog.min(Duration::from_secs(30))),
            None => pulse,
        }
    }

    /// A second line, for the last word.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn line(&self) -> io::Result<Line> {
        Ok(Line {
            socket: self.line.socket.try_clone()?,
            manager: self.line.manager.clone(),
        })
    }

    /// Tells what there is to tell, until the side ends.
    pub(crate) async fn report(self, readiness: &'static Readiness, pulse: Heartbeat) {
        // The manual asks for a word at half the time; a third leaves room for one that is late.
        let watchdog = self.watchdog.map_or(LOOK, |watchdog| watchdog / 3);
        let mut looks = interval(LOOK.min(watchdog).max(Duration::from_millis(10)));
        let (mut told_start, mut told, mut warned) = (false, None, false);
        loop {
            looks.tick().await;
            let mut news = Vec::new();
            let started = readiness.has_started();
            if started && !told_start {
                news.push(NotifyState::Ready);
            }
            if self.watchdog.is_some() && pulse.stuck_for().is_none() {
                news.push(NotifyState::Watchdog);
            }
            let now = describe(readiness);
            if told.as_ref() != Some(&now) {
                news.push(NotifyState::Status(&now));
            }
            match self.line.tell(&news) {
                Ok(()) => (told_start, told) = (started, Some(now)),
                Err(error) if !warned => {
                    warned = true;
                    warn!(%error, "systemd cannot be told how this program stands, and is tried again: check NOTIFY_SOCKET, or unset it");
                }
                Err(_) => {}
            }
        }
    }
}

impl Line {
    /// To a socket with a path, or with a name that begins with `@`.
    fn to(address: &OsStr) -> io::Result<Self> {
        let manager = match address.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, manager })
    }

    /// The program has been asked to stop.
    pub(crate) fn stopping(&self) {
        // Whether it is heard or not, the program stops.
        drop(self.tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]));
    }

    fn tell(&self, news: &[NotifyState<'_>]) -> io::Result<()> {
        if news.is_empty() {
            return Ok(());
        }
        let lines: String = news.iter().map(|news| format!("{news}\n")).collect();
        self.socket
            .send_to_addr(lines.as_bytes(), &self.manager)
            .map(|_| ())
    }
}

fn describe(readiness: &Readiness) -> String {
    let reasons = readiness.reasons();
    if reasons.is_empty() {
        return "ready".into();
    }
    let mut line = reasons.join("; ").replace('\n', " ");
    line.truncate(line.floor_char_boundary(STATUS));
    line
}
