//! What an operator hears of a link: that it is lost and back, and what the server would not do.
//!
//! async-nats says no word of a permission that is missing, for its requests just wait; and of a password that was changed it says the same line
//! several times a second.

use std::time::Duration;

use async_nats::Event;
use tokio::time::Instant;
use tracing::{info, warn};

use super::purpose::Purpose;

/// Between two complaints of one kind. A refused subject is refused with every message.
const AGAIN: Duration = Duration::from_secs(10);

/// Tells the news of one link.
#[derive(Debug)]
pub(super) struct Teller {
    purpose: Purpose,
    was_connected: bool,
    refused: Option<Instant>,
    unreachable: Option<(Instant, String)>,
}

/// Worth a line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Lost,
    Back,
    Refused(String),
    Unreachable(String),
}

impl Teller {
    pub(super) fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            was_connected: false,
            refused: None,
            unreachable: None,
        }
    }

    /// Writes down what is new about `event`.
    pub(super) fn tell(&mut self, event: &Event) {
        let purpose = self.purpose;
        match self.line(event, Instant::now()) {
            Some(Line::Lost) => {
                warn!(%purpose, "the connection to NATS is lost: trying again, and nothing is lost meanwhile; if that lasts, see to the server and the way there")
            }
            Some(Line::Back) => info!(%purpose, "connected to NATS again"),
            Some(Line::Refused(error)) => {
                warn!(%purpose, error, "the NATS server refuses this: allow it to the user, or look whether it is the right one; docs/permissions.md has what each program needs");
            }
            Some(Line::Unreachable(error)) => {
                warn!(%purpose, error, "no connection to NATS yet: check that the server runs and lets this user in");
            }
            None => {}
        }
    }

    fn line(&mut self, event: &Event, now: Instant) -> Option<Line> {
        match event {
            Event::Connected => {
                let back = std::mem::replace(&mut self.was_connected, true);
                self.unreachable = None;
                back.then_some(Line::Back)
            }
            Event::Disconnected if self.was_connected => Some(Line::Lost),
            // Each has another subject in it.
            Event::ServerError(error) => {
                let is_old = self.refused.is_some_and(|at| now < at + AGAIN);
                (!is_old).then(|| {
                    self.refused = Some(now);
                    Line::Refused(error.to_string())
                })
            }
            // Before it stood for the first time whoever connects is told by an error.
            Event::ClientError(error) if self.was_connected => {
                let error = error.to_string();
                let last = self.unreachable.as_ref();
                let is_old = last.is_some_and(|(at, of)| *of == error && now < *at + AGAIN);
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
    fn what_a_server_refuses_is_told_once_in_ten_seconds() {
        let mut teller = Teller::new(Purpose::Consuming);
        let start = Instant::now();
        let denied = Event::ServerError(ServerError::Other("permissions violation".into()));
        assert!(matches!(
            teller.line(&denied, start),
            Some(Line::Refused(_))
        ));
        assert_eq!(teller.line(&denied, start + AGAIN / 2), None);
        assert!(teller.line(&denied, start + AGAIN).is_some());
    }

    #[test]
    fn a_link_is_told_of_when_it_is_lost_and_when_it_is_back() {
        let mut teller = Teller::new(Purpose::Consuming);
        let now = Instant::now();
        let absent = Event::ClientError(ClientError::Other("authorization violation".into()));
        assert_eq!(teller.line(&absent, now), None, "an error says it");
        assert_eq!(teller.line(&Event::Connected, now), None);
        assert_eq!(teller.line(&Event::Disconnected, now), Some(Line::Lost));
        let first = teller.line(&absent, now);
        assert!(matches!(first, Some(Line::Unreachable(_))));
        assert_eq!(teller.line(&absent, now), None);
        let other = Event::ClientError(ClientError::Other("IO error".into()));
        assert!(teller.line(&other, now).is_some(), "another trouble");
        assert_eq!(teller.line(&Event::Connected, now), Some(Line::Back));
    }
}
