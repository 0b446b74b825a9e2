//! What systemd hears (sd_notify(3)): that the program has started, how it stands, that it is alive, that it stops.
//!
//! For a unit of `Type=notify`, with `WatchdogSec=` if a program that is stuck shall be restarted. Without such a manager nothing is said.

use std::{io, time::Duration};

use sd_notify::NotifyState;
use tokio::time::interval;
use tracing::warn;

use super::{Pulse, Readiness};

/// Between two looks at how the program stands.
const LOOK: Duration = Duration::from_secs(1);

/// The longest line of reasons that systemd is told; it is shown in one line of `systemctl status`.
const STATUS: usize = 400;

/// systemd, if it is there and wants to hear.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that started this process.
    pub(crate) fn of_process() -> Option<Self> {
        std::env::var_os("NOTIFY_SOCKET")?;
        let watchdog = sd_notify::watchdog_enabled();
        Some(Self { watchdog })
    }

    /// How long the program may be stuck: no longer than the watchdog waits.
    pub(crate) fn pulse(&self) -> Pulse {
        let pulse = Pulse::default();
        match self.watchdog {
            Some(watchdog) => Pulse::with_patience(watchdog.min(Duration::from_secs(30))),
            None => pulse,
        }
    }

    /// Tells what there is to tell, until the side ends.
    pub(crate) async fn report(self, readiness: &'static Readiness, pulse: Pulse) {
        // The manual asks for a word at half the time; a third leaves room for one that is late.
        let watchdog = self.watchdog.map_or(LOOK, |watchdog| watchdog / 3);
        let mut looks = interval(LOOK.min(watchdog).max(Duration::from_millis(10)));
        let (mut started, mut status) = (false, None);
        loop {
            looks.tick().await;
            let mut news = Vec::new();
            if !started && readiness.has_started() {
                started = true;
                news.push(NotifyState::Ready);
            }
            if self.watchdog.is_some() && pulse.stuck_for().is_none() {
                news.push(NotifyState::Watchdog);
            }
            let now = describe(readiness);
            if status.as_ref() != Some(&now) {
                news.push(NotifyState::Status(&now));
            }
            if let Err(error) = tell(&news) {
                warn!(%error, "systemd cannot be told how this program stands: check NOTIFY_SOCKET, or unset it");
                return;
            }
            status = Some(now);
        }
    }

    /// The program has been asked to stop.
    pub(crate) fn stopping() {
        // Whether it is heard or not, the program stops.
        drop(tell(&[
            NotifyState::Stopping,
            NotifyState::Status("stopping"),
        ]));
    }
}

fn tell(news: &[NotifyState<'_>]) -> io::Result<()> {
    if news.is_empty() {
        return Ok(());
    }
    sd_notify::notify(news)
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
