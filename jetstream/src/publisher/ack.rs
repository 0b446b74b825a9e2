//! The stream's acknowledgement of a publish. Pure.

use serde::Deserialize;

use super::Published;

/// The cause of a stalled publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stall {
    /// The link is down.
    #[error("not connected")]
    Disconnected,
    /// No responders: the stream is missing, or is electing a leader.
    #[error("the stream is missing or has no leader: if it was deleted, run `crispy setup`")]
    NoStream,
    /// The stream, or the server's store, is full.
    #[error("the stream is full: chunks wait in the spool; check its readers, or raise its limit")]
    Full,
    /// The server is busy, or is still storing a message of this id.
    #[error("the server is busy")]
    Busy,
    /// No answer came, or an unreadable one.
    #[error("the server does not answer")]
    NoAnswer,
}

/// The result of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Stored(Published),
    /// Worth another attempt, after a delay.
    Stalled(Stall),
    /// The link reconnected meanwhile: worth another attempt at once.
    Reconnected,
    /// No attempt can succeed.
    Refused(String),
}

#[derive(Deserialize)]
struct PubAck {
    error: Option<ApiError>,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
}

#[derive(Deserialize)]
struct ApiError {
    code: u16,
    #[serde(default)]
    err_code: u16,
    #[serde(default)]
    description: String,
}

/// Error codes of nats-server 2.15 (server/errors.json).
mod code {
    /// The account's limit.
    pub(super) const ACCOUNT_RESOURCES: u16 = 10002;
    /// The cluster's limit.
    pub(super) const INSUFFICIENT_RESOURCES: u16 = 10023;
    /// The server's limit.
    pub(super) const STORAGE_RESOURCES: u16 = 10047;
    /// "maximum bytes exceeded", and other failures of the store.
    pub(super) const STORE_FAILED: u16 = 10077;
    /// A message of this id is in flight.
    pub(super) const ID_IN_FLIGHT: u16 = 10158;
}

/// Parses the answer to a publish.
pub(super) fn parse(payload: &[u8]) -> Outcome {
    let Ok(answer) = serde_json::from_slice::<PubAck>(payload) else {
        return Outcome::Stalled(Stall::NoAnswer);
    };
    match answer.error {
        Some(error) => error.outcome(),
        None => Outcome::Stored(Published {
            stream: answer.stream,
            sequence: answer.seq,
            duplicate: answer.duplicate,
        }),
    }
}

impl ApiError {
    /// By number: texts differ between versions.
    fn outcome(self) -> Outcome {
        match (self.err_code, self.code) {
            (
                code::STORE_FAILED
                | code::ACCOUNT_RESOURCES
                | code::INSUFFICIENT_RESOURCES
                | code::STORAGE_RESOURCES,
                _,
            ) => Outcome::Stalled(Stall::Full),
            (code::ID_IN_FLIGHT, _) | (_, 408 | 429 | 500..) => Outcome::Stalled(Stall::Busy),
            _ => Outcome::Refused(format!("{} ({})", self.description, self.err_code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passing_errors_are_waited_out() {
        let error = |code: u16, err_code: u16| {
            let text = format!(
                r#"{{"error":{{"code":{code},"err_code":{err_code},"description":"why"}},"stream":"S","seq":0}}"#
            );
            super::parse(text.as_bytes())
        };
        for (code, err_code, expected) in [
            (503, 10077, Stall::Full),
            (500, 10047, Stall::Full),
            (400, 10002, Stall::Full),
            (503, 10023, Stall::Full),
            (400, 10158, Stall::Busy),
            (429, 10167, Stall::Busy),
            (503, 10008, Stall::Busy),
        ] {
            assert_eq!(
                error(code, err_code),
                Outcome::Stalled(expected),
                "{err_code}"
            );
        }
        for (code, err_code) in [(400, 10054), (400, 10060)] {
            assert!(
                matches!(error(code, err_code), Outcome::Refused(_)),
                "{err_code}"
            );
        }
    }

    #[test]
    fn a_stored_message_has_its_sequence() {
        let parse = |text: &str| super::parse(text.as_bytes());
        let stored = |duplicate| {
            Outcome::Stored(Published {
                stream: "S".into(),
                sequence: 7,
                duplicate,
            })
        };
        assert_eq!(parse(r#"{"stream":"S","seq":7}"#), stored(false));
        assert_eq!(
            parse(r#"{"stream":"S","seq":7,"duplicate":true,"domain":"hub"}"#),
            stored(true)
        );
        assert_eq!(parse("+OK"), Outcome::Stalled(Stall::NoAnswer));
    }
}
