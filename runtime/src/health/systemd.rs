//! Notifications to systemd (sd_notify(3)): started, status, alive, stopping.
//!
//! For a unit of `Type=notify`, with `WatchdogSec=` if a stuck program shall be restarted. Without
//! a service manager nothing is sent.
//!
//! A manager that does not read blocks nothing: a notification that finds no room is sent again a
//! second later.

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

/// Between two looks at the readiness.
const INTERVAL: Duration = Duration::from_secs(1);

/// The longest status line, in bytes; `systemctl status` shows it in one line.
const STATUS: usize = 400;

/// systemd, if it started this process and wants notifications.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    notifier: Notifier,
    watchdog: Option<Duration>,
}

/// A socket to systemd.
#[derive(Debug)]
pub(crate) struct Notifier {
    socket: UnixDatagram,
    manager: SocketAddr,
}

impl ServiceManager {
    /// The one that started this process.
    ///
    /// # Errors
    /// `NOTIFY_SOCKET` is no address of a socket.
    pub(crate) fn from_process() -> io::Result<Option<Self>> {
        let address = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty());
        let Some(address) = address else {
            return Ok(None);
        };
        let notifier = Notifier::connect(&address)?;
        // Zero means none, by the manual.
        let watchdog = sd_notify::watchdog_enabled().filter(|time| !time.is_zero());
        Ok(Some(Self { notifier, watchdog }))
    }

    /// A heartbeat that counts as stuck no later than the watchdog does.
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        self.watchdog
            .map_or_else(Heartbeat::default, Heartbeat::new)
    }

    /// A second socket, for the notification at the stop.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn notifier(&self) -> io::Result<Notifier> {
        Ok(Notifier {
            socket: self.notifier.socket.try_clone()?,
            manager: self.notifier.manager.clone(),
        })
    }

    /// Sends notifications until the thread ends.
    pub(crate) async fn notify(self, readiness: &'static Readiness, heartbeat: Heartbeat) {
        // The manual asks for one at half the time; a third leaves room for a late one.
        let watchdog = self.watchdog.map_or(INTERVAL, |watchdog| watchdog / 3);
        let mut ticks = interval(INTERVAL.min(watchdog).max(Duration::from_millis(10)));
        let (mut sent_ready, mut sent_status, mut warned) = (false, None, false);
        loop {
            ticks.tick().await;
            let mut states = Vec::new();
            let started = readiness.has_started();
            if started && !sent_ready {
                states.push(NotifyState::Ready);
            }
            if self.watchdog.is_some() && heartbeat.stuck_for().is_none() {
                states.push(NotifyState::Watchdog);
            }
            let status = status(readiness);
            if sent_status.as_ref() != Some(&status) {
                states.push(NotifyState::Status(&status));
            }
            match self.notifier.send(&states) {
                Ok(()) => (sent_ready, sent_status) = (started, Some(status)),
                Err(error) if !warned => {
                    warned = true;
                    let hint = "check NOTIFY_SOCKET, or unset it";
                    warn!(%error, hint, "failed to notify systemd, retrying");
                }
                Err(_) => {}
            }
        }
    }
}

impl Notifier {
    /// A socket to an address with a path, or with a name that begins with `@`.
    fn connect(address: &OsStr) -> io::Result<Self> {
        let manager = match address.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, manager })
    }

    /// Notifies that the program stops.
    pub(crate) fn notify_stopping(&self) {
        // The program stops, even if this fails.
        drop(self.send(&[NotifyState::Stopping, NotifyState::Status("stopping")]));
    }

    fn send(&self, states: &[NotifyState<'_>]) -> io::Result<()> {
        if states.is_empty() {
            return Ok(());
        }
        let lines: String = states.iter().map(|state| format!("{state}\n")).collect();
        self.socket
            .send_to_addr(lines.as_bytes(), &self.manager)
            .map(|_| ())
    }
}

/// `ready`, or the reasons against it in one line.
fn status(readiness: &Readiness) -> String {
    let reasons = readiness.reasons();
    if reasons.is_empty() {
        return "ready".into();
    }
    let mut line = reasons.join("; ").replace('\n', " ");
    line.truncate(line.floor_char_boundary(STATUS));
    line
}
