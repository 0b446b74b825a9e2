//! Parses status messages on the inbox of a pull. Pure.

use async_nats::Message;

/// A message's status.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It is a delivery.
    None,
    /// An idle heartbeat.
    Heartbeat,
    /// A request has expired with `pending` messages undelivered.
    Expired { pending: usize },
    /// A request, or all of them, will not be served.
    Refused(&'static str),
}

/// The header with the undelivered messages of a request.
const PENDING_MESSAGES: &str = "Nats-Pending-Messages";

impl Status {
    pub(super) fn new(message: &Message) -> Self {
        let Some(status) = message.status else {
            return Self::None;
        };
        let pending = || {
            let pending = message.headers.as_ref()?.get(PENDING_MESSAGES)?;
            pending.as_str().parse().ok()
        };
        let description = message.description.as_deref().unwrap_or_default();
        Self::parse(status.as_u16(), description, pending())
    }

    /// By number, and by text only for 409, which has many meanings.
    fn parse(status: u16, description: &str, pending: Option<usize>) -> Self {
        let contains = |words: &str| description.to_ascii_lowercase().contains(words);
        match (status, pending) {
            (100, _) => Self::Heartbeat,
            (404 | 408, Some(pending)) => Self::Expired { pending },
            (503, _) => Self::Refused("the consumer is missing or has no leader"),
            (409, _) if contains("consumer deleted") => Self::Refused("the consumer was deleted"),
            (409, _) if contains("leadership change") => Self::Refused("the leader changes"),
            (409, _) if contains("server shutdown") => Self::Refused("the server is shutting down"),
            (409, _) if contains("maxwaiting") => {
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
    fn other_statuses_than_heartbeat_and_expiry_are_refusals() {
        let parse = Status::parse;
        assert_eq!(parse(100, "Idle Heartbeat", None), Status::Heartbeat);
        assert_eq!(
            parse(408, "Request Timeout", Some(3)),
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
                matches!(parse(status, description, None), Status::Refused(_)),
                "{status} {description}"
            );
        }
    }
}
