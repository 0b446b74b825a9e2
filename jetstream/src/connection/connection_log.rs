//! Log lines about a link: lost, restored, refused.
//!
//! async-nats reports nothing of a missing permission (its requests just wait), and reports a wrong
//! password several times a second.

use std::time::Duration;

use async_nats::Event;
use tokio::time::Instant;
use tracing::{info, warn};

use super::link_state::LinkRole;

/// The time between two log lines of one kind. A refused subject is refused with every message.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Logs the events of one link.
#[derive(Debug)]
pub(super) struct ConnectionLog {
    role: LinkRole,
    was_connected: bool,
    refused_at: Option<Instant>,
    unreachable: Option<(Instant, String)>,
}

/// An event worth a log line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Lost,
    Restored,
    Refused(String),
    Unreachable(String),
}

impl ConnectionLog {
    pub(super) fn new(role: LinkRole) -> Self {
        Self {
            role,
            was_connected: false,
            refused_at: None,
            unreachable: None,
        }
    }

    /// Logs `event`, unless it is old news.
    pub(super) fn log(&mut self, event: &Event) {
        let role = self.role;
        match self.line(event, Instant::now()) {
            Some(Line::Lost) => warn!(%role, "lost connection to NATS, reconnecting"),
            Some(Line::Restored) => info!(%role, "reconnected to NATS"),
            Some(Line::Refused(error)) => warn!(
                %role,
                error,
                hint = "allow it to the user; docs/permissions.md lists what each program needs",
                "NATS server refused a request"
            ),
            Some(Line::Unreachable(error)) => warn!(
                %role,
                error,
                hint = "check that the server runs and accepts this user",
                "failed to connect to NATS"
            ),
            None => {}
        }
    }

    fn line(&mut self, event: &Event, now: Instant) -> Option<Line> {
        match event {
            Event::Connected => {
                let restored = std::mem::replace(&mut self.was_connected, true);
                self.unreachable = None;
                restored.then_some(Line::Restored)
            }
            Event::Disconnected if self.was_connected => Some(Line::Lost),
            // Each error names another subject: the kind alone is compared.
            Event::ServerError(error) => {
                let is_old = self.refused_at.is_some_and(|at| now < at + LOG_INTERVAL);
                (!is_old).then(|| {
                    self.refused_at = Some(now);
                    Line::Refused(error.to_string())
                })
            }
            // Before the first connection the caller gets an error instead.
            Event::ClientError(error) if self.was_connected => {
                let error = error.to_string();
                let last = self.unreachable.as_ref();
                let is_old = last.is_some_and(|(at, of)| *of == error && now < *at + LOG_INTERVAL);
                (!is_old).then(|| {
                    self.unreachable = Some((now, error.clone()));
                    Line::Unreachable(error)
                })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_nats::{ClientError, ServerError};

    use super::*;

    #[test]
    fn refusals_are_logged_once_in_ten_seconds() {
        let mut log = ConnectionLog::new(LinkRole::Consuming);
        let start = Instant::now();
        let denied = Event::ServerError(ServerError::Other("permissions violation".into()));
        assert!(matches!(log.line(&denied, start), Some(Line::Refused(_))));
        assert_eq!(log.line(&denied, start + LOG_INTERVAL / 2), None);
        assert!(log.line(&denied, start + LOG_INTERVAL).is_some());
    }

    #[test]
    fn loss_and_reconnect_are_logged() {
        let mut log = ConnectionLog::new(LinkRole::Consuming);
        let now = Instant::now();
        let absent = Event::ClientError(ClientError::Other("authorization violation".into()));
        assert_eq!(log.line(&absent, now), None, "the caller gets an error");
        assert_eq!(log.line(&Event::Connected, now), None);
        assert_eq!(log.line(&Event::Disconnected, now), Some(Line::Lost));
        let first = log.line(&absent, now);
        assert!(matches!(first, Some(Line::Unreachable(_))));
        assert_eq!(log.line(&absent, now), None);
        let other = Event::ClientError(ClientError::Other("IO error".into()));
        assert!(log.line(&other, now).is_some(), "a different error");
        assert_eq!(log.line(&Event::Connected, now), Some(Line::Restored));
    }
}
