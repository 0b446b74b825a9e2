//! What a stream answers to a publish, and what follows from it.

use serde::Deserialize;

use super::Published;

/// Why publishing does not get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stall {
    /// There is no connection.
    #[error("not connected")]
    Disconnected,
    /// Nobody listens on the subject: the stream is missing, or is choosing a leader.
    #[error("the stream is missing or has no leader: if it was deleted, run `crispy setup`")]
    NoStream,
    /// The stream, or the store under it, has no room.
    #[error(
        "the stream is full: what waits stays in the spool; see why its readers are slow, or give it more room"
    )]
    Full,
    /// The server asks for patience, or is still storing a message of this id.
    #[error("the server is busy")]
    Busy,
    /// No answer came, or none that can be read.
    #[error("the server does not answer")]
    NoAnswer,
}

/// How one attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Stored(Published),
    /// Worth another attempt, after a pause.
    Stalled(Stall),
    /// The connection was made anew meanwhile: worth another attempt at once.
    Lost,
    /// No attempt can succeed.
    Refused(String),
}

#[derive(Deserialize)]
struct Answer {
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
    /// "maximum bytes exceeded", and whatever else keeps the store from taking a message.
    pub(super) const STORE_FAILED: u16 = 10077;
    /// A message of this id is in flight.
    pub(super) const ID_IN_FLIGHT: u16 = 10158;
}

pub(super) fn read(payload: &[u8]) -> Verdict {
    let Ok(answer) = serde_json::from_slice::<Answer>(payload) else {
        return Verdict::Stalled(Stall::NoAnswer);
    };
    match answer.error {
        Some(error) => error.verdict(),
        None => Verdict::Stored(Published {
            stream: answer.stream,
            sequence: answer.seq,
            duplicate: answer.duplicate,
        }),
    }
}

impl ApiError {
    /// By number: the words differ between versions.
    fn verdict(self) -> Verdict {
        match (self.err_code, self.code) {
            (
                code::STORE_FAILED
                | code::ACCOUNT_RESOURCES
                | code::INSUFFICIENT_RESOURCES
                | code::STORAGE_RESOURCES,
                _,
            ) => Verdict::Stalled(Stall::Full),
            (code::ID_IN_FLIGHT, _) | (_, 408 | 429 | 500..) => Verdict::Stalled(Stall::Busy),
            _ => Verdict::Refused(format!("{} ({})", self.description, self.err_code)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_that_passes_is_waited_out_and_no_other() {
        let error = |code: u16, err_code: u16| {
            let text = format!(
                r#"{{"error":{{"code":{code},"err_code":{err_code},"description":"said so"}},"stream":"S","seq":0}}"#
            );
            read(text.as_bytes())
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
                Verdict::Stalled(expected),
                "{err_code}"
            );
        }
        for (code, err_code) in [(400, 10054), (400, 10060)] {
            assert!(
                matches!(error(code, err_code), Verdict::Refused(_)),
                "{err_code}"
            );
        }
    }

    #[test]
    fn a_stored_message_has_its_place() {
        let read = |text: &str| read(text.as_bytes());
        let stored = |duplicate| {
            Verdict::Stored(Published {
                stream: "S".into(),
                sequence: 7,
                duplicate,
            })
        };
        assert_eq!(read(r#"{"stream":"S","seq":7}"#), stored(false));
        assert_eq!(
            read(r#"{"stream":"S","seq":7,"duplicate":true,"domain":"hub"}"#),
            stored(true)
        );
        assert_eq!(read("+OK"), Verdict::Stalled(Stall::NoAnswer));
    }
}
