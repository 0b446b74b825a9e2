//! What a handler may say instead of "done".

use std::time::Duration;

use crispy_fault::{DependencyId, Fault, Kind};

use super::BoxError;

/// Why a message was not handled, and so what becomes of it. Nothing else decides.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// It may work next time: again after a jittered pause; a dead letter once it has failed too often for too long.
    Retry(BoxError),
    /// As [`Self::Retry`], and not sooner than whoever refused it has asked for; longer than [`crate::Limits::longest_pause`] nobody is heard.
    RetryAfter(Duration, BoxError),
    /// It can never work: a dead letter at once.
    Reject(BoxError),
    /// It is not the message's fault: again when what is missing is back, however long that takes, and no attempt is counted.
    Unavailable(Cause, BoxError),
}

/// What is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// What every message needs. The worker stops pulling, drops what other handlers are doing, keeps what it holds, and asks
    /// [`crate::Processor::probe`] until it is back.
    Destination,
    /// What only some messages need, a spool by its id or a bucket by its URL: they wait, all others flow on.
    Owner(String),
}

impl Failure {
    /// It may work next time.
    pub fn retry(error: impl Into<BoxError>) -> Self {
        Self::Retry(error.into())
    }

    /// It may work next time, and not sooner than after `pause`.
    pub fn retry_after(pause: Duration, error: impl Into<BoxError>) -> Self {
        Self::RetryAfter(pause, error.into())
    }

    /// It can never work.
    pub fn reject(error: impl Into<BoxError>) -> Self {
        Self::Reject(error.into())
    }

    /// The destination is away.
    pub fn destination(error: impl Into<BoxError>) -> Self {
        Self::Unavailable(Cause::Destination, error.into())
    }

    /// What alone has the bytes is away from here: `owner`, a spool's id or a bucket's URL. The error has to name it.
    pub fn owner(owner: impl Into<String>, error: impl Into<BoxError>) -> Self {
        Self::Unavailable(Cause::Owner(owner.into()), error.into())
    }
}

/// By the kind alone.
impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let error: BoxError = format!("{fault:#}").into();
        match fault.kind() {
            Kind::Transient { retry_after } => {
                Self::RetryAfter(retry_after.unwrap_or_default(), error)
            }
            Kind::Unavailable(dependency) if dependency.shared => {
                Self::Unavailable(Cause::Destination, error)
            }
            Kind::Unavailable(dependency) => {
                let owner = match &dependency.id {
                    DependencyId::Bucket(id) | DependencyId::Spool(id) => id.clone(),
                    DependencyId::Queue => "queue".to_owned(),
                };
                Self::Unavailable(Cause::Owner(owner), error)
            }
            Kind::NotFound | Kind::Conflict | Kind::Corrupt | Kind::Rejected => Self::Reject(error),
        }
    }
}
