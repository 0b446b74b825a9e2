//! What a server says on an inbox instead of delivering. Pure.

use async_nats::Message;

/// A message's status.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It is a delivery.
    None,
    /// Nothing to deliver, but all is well.
    Heartbeat,
    /// A request has run out, with `pending` of its messages not delivered.
    Expired { pending: usize },
    /// A request will not be served, or none will.
    Refused(&'static str),
}

/// How much of a request was not served.
const PENDING_MESSAGES: &str = "Nats-Pending-Messages";

impl Status {
    pub(super) fn of(message: &Message) -> Self {
        let Some(status) = message.status else {
            return Self::None;
        };
        let pending = || {
            let pending = message.headers.as_ref()?.get(PENDING_MESSAGES)?;
            pending.as_str().parse().ok()
        };
        let description = message.description.as_deref().unwrap_or_default();
        Self::read(status.as_u16(), description, pending())
    }

    /// By number, and by words only where the number leaves it open: 409 is many things, told apart by their description alone.
    fn read(status: u16, description: &str, pending: Option<usize>) -> Self {
        let says = |words: &str| description.to_ascii_lowercase().contains(words);
        match (status, pending) {
            (100, _) => Self::Heartbeat,
            (404 | 408, Some(pending)) => Self::Expired { pending },
            (503, _) => Self::Refused("the consumer is missing or has no leader"),
            (409, _) if says("consumer deleted") => Self::Refused("the consumer was deleted"),
            (409, _) if says("leadership change") => Self::Refused("the leader changes"),
            (409, _) if says("server shutdown") => Self::Refused("the server is shutting down"),
            (409, _) if says("maxwaiting") => {
                Self::Refused("too many requests wait on the consumer")
            }
            _ => Self::Refused("the server refused a request"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_heartbeat_and_an_expiry_leave_other_requests_open() {
        let read = Status::read;
        assert_eq!(read(100, "Idle Heartbeat", None), Status::Heartbeat);
        assert_eq!(
            read(408, "Request Timeout", Some(3)),
            Status::Expired { pending: 3 }
        );
        for (status, description) in [
            (408, "Interest Expired"),
            (409, "Consumer Deleted"),
            (409, "Leadership Change"),
            (409, "Server Shutdown"),
            (409, "Exceeded MaxWaiting"),
            (409, "something new"),
            (503, ""),
            (400, "Bad Request"),
        ] {
            assert!(
                matches!(read(status, description, None), Status::Refused(_)),
                "{status} {description}"
            );
        }
    }
}
