//! The one failure type: kind, context, cause and hint.
//!
//! ```text
//!   HTTP, errno ──► bucket, spool ──► uploader, inspector ──► worker: retry, wait or dead letter
//!                   make a Fault      add context             └► runtime: exit code
//! ```
//!
//! A [`Fault`] is made where a failure is first understood. Each layer above adds what it was doing
//! ([`Fault::context`]). Decisions (the worker's about a message, the runtime's about an exit code)
//! depend on the [`Kind`] and on nothing else.
#![warn(missing_docs)]

mod redacted;

use std::{borrow::Cow, error::Error, fmt, time::Duration};

pub use redacted::Redacted;

/// Any error: every `thiserror` enum and `anyhow::Error` turn into it.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// The kind of a failure, by its remedy. The only thing that decisions depend on.
///
/// | kind | concerns | remedy | worker |
/// |---|---|---|---|
/// | `NotFound` | this thing | create it, or go on without it | dead letter |
/// | `Conflict` | this name | never overwrite its other content | dead letter |
/// | `Corrupt` | these bytes | read them again from their origin | dead letter |
/// | `Rejected` | this request, always | give it up | dead letter |
/// | `Transient` | this attempt | try again | retry, counted |
/// | `Unavailable` | every use of the dependency | wait for it | wait, not counted |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It does not exist.
    NotFound,
    /// Other content is stored under this name.
    Conflict,
    /// The bytes do not have their checksum, or are not of their declared type.
    Corrupt,
    /// It can never work: wrong input, a forbidden name, a limit that it will always exceed.
    Rejected,
    /// This attempt failed; the next one may succeed.
    Transient {
        /// The least wait that the other side asked for (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// A dependency cannot be used now, for any request.
    Unavailable(Dependency),
}

impl Kind {
    /// A name for logs, spans and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Corrupt => "corrupt",
            Self::Rejected => "rejected",
            Self::Transient { .. } => "transient",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An unavailable dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Its identity.
    pub id: DependencyId,
    /// Every message needs it: the worker pauses. Otherwise only messages that need it are delayed.
    pub shared: bool,
    /// The least wait that the other side asked for (`Retry-After`).
    pub retry_after: Option<Duration>,
}

/// The identity of a dependency.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DependencyId {
    /// The NATS servers.
    Queue,
    /// A bucket, by its URL without credentials.
    Bucket(String),
    /// A spool, by its id.
    Spool(String),
}

impl fmt::Display for DependencyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue => f.write_str("queue"),
            Self::Bucket(url) => write!(f, "bucket {url}"),
            Self::Spool(id) => write!(f, "spool {id}"),
        }
    }
}

/// A failure.
///
/// * `{}` prints its own message: what was being done, in lower case, without the source.
/// * `{:#}` prints the whole chain and the hint: `put object: 403 Forbidden; grant …`. [`chain`]
///   prints the chain alone.
/// * Context keeps the kind. Only [`into_outage`](Self::into_outage) and
///   [`into_transient`](Self::into_transient) change it.
#[derive(Debug)]
pub struct Fault {
    kind: Kind,
    doing: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    source: Option<BoxError>,
}

impl Fault {
    /// A failure of `kind` while `doing` (`"open spool"`, or a sentence where there is no source).
    pub fn new(kind: Kind, doing: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            doing: doing.into(),
            hint: None,
            source: None,
        }
    }

    /// [`Kind::NotFound`].
    pub fn not_found(doing: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::NotFound, doing)
    }

    /// [`Kind::Conflict`].
    pub fn conflict(doing: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Conflict, doing)
    }

    /// [`Kind::Corrupt`].
    pub fn corrupt(doing: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Corrupt, doing)
    }

    /// [`Kind::Rejected`].
    pub fn rejected(doing: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Rejected, doing)
    }

    /// [`Kind::Transient`], without a `Retry-After`.
    pub fn transient(doing: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Transient { retry_after: None }, doing)
    }

    /// [`Kind::Unavailable`], of a dependency that every message needs.
    pub fn unavailable(id: DependencyId, doing: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            Kind::Unavailable(Dependency {
                id,
                shared: true,
                retry_after: None,
            }),
            doing,
        )
    }

    /// [`Kind::Unavailable`], of a dependency that only some messages need.
    pub fn unavailable_to_some(id: DependencyId, doing: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            Kind::Unavailable(Dependency {
                id,
                shared: false,
                retry_after: None,
            }),
            doing,
        )
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds an operator's remedy, as an imperative sentence.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the least wait that the other side asked for. Kinds without a retry ignore it.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        match &mut self.kind {
            Kind::Transient { retry_after } => *retry_after = wait,
            Kind::Unavailable(dependency) => dependency.retry_after = wait,
            Kind::NotFound | Kind::Conflict | Kind::Corrupt | Kind::Rejected => {}
        }
        self
    }

    /// The same failure as the cause of a layer's own, which was `doing` something. Kind and hint
    /// stay.
    #[must_use]
    pub fn context(mut self, doing: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: self.kind.clone(),
            doing: doing.into(),
            hint: self.hint.take(),
            source: Some(Box::new(self)),
        }
    }

    /// The same failure as an outage of a dependency that every message needs, for a layer that
    /// knows more: a timeout of a bucket that fails its probe too. The wait stays.
    #[must_use]
    pub fn into_outage(mut self, id: DependencyId) -> Self {
        self.kind = Kind::Unavailable(Dependency {
            id,
            shared: true,
            retry_after: self.retry_after(),
        });
        self
    }

    /// The same failure as one that the next attempt may not meet: a missing object that may still
    /// appear, bytes that may be read whole the next time. The wait stays.
    #[must_use]
    pub fn into_transient(mut self) -> Self {
        self.kind = Kind::Transient {
            retry_after: self.retry_after(),
        };
        self
    }

    /// Its kind.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// An operator's remedy, as an imperative sentence.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The least wait that the other side asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.kind {
            Kind::Transient { retry_after } => *retry_after,
            Kind::Unavailable(dependency) => dependency.retry_after,
            Kind::NotFound | Kind::Conflict | Kind::Corrupt | Kind::Rejected => None,
        }
    }

    /// The dependency of [`Kind::Unavailable`].
    pub fn dependency(&self) -> Option<&Dependency> {
        match &self.kind {
            Kind::Unavailable(dependency) => Some(dependency),
            _ => None,
        }
    }

    /// Whether it is [`Kind::Unavailable`].
    pub fn is_unavailable(&self) -> bool {
        matches!(self.kind, Kind::Unavailable(_))
    }

    /// Whether it is [`Kind::Transient`].
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, Kind::Transient { .. })
    }

    /// Whether it is [`Kind::NotFound`].
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return f.write_str(&self.doing);
        }
        f.write_str(&chain(self))?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Every message of an error's chain, outermost first, joined by `: `.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_keeps_kind_and_hint() {
        let refused = Fault::unavailable(DependencyId::Bucket("gs://videos".into()), "put object")
            .with_source("403 Forbidden")
            .with_hint("grant storage.objects.create")
            .with_retry_after(Some(Duration::from_secs(3)));
        let fault = refused.context("upload chunk");
        assert!(fault.is_unavailable());
        assert_eq!(fault.hint(), Some("grant storage.objects.create"));
        assert_eq!(fault.retry_after(), Some(Duration::from_secs(3)));
        assert_eq!(fault.to_string(), "upload chunk");
        assert_eq!(chain(&fault), "upload chunk: put object: 403 Forbidden");
        assert_eq!(
            format!("{fault:#}"),
            "upload chunk: put object: 403 Forbidden; grant storage.objects.create"
        );
    }

    #[test]
    fn another_kind_keeps_the_wait() {
        let wait = Some(Duration::from_secs(1));
        let outage = Fault::transient("put object").with_retry_after(wait);
        let outage = outage.into_outage(DependencyId::Queue);
        assert!(outage.is_unavailable());
        assert_eq!(outage.retry_after(), wait);
        assert!(Fault::corrupt("put object").into_transient().is_transient());
    }

    #[test]
    fn only_kinds_with_a_retry_keep_a_wait() {
        let wait = Some(Duration::from_secs(1));
        assert_eq!(
            Fault::rejected("put object")
                .with_retry_after(wait)
                .retry_after(),
            None
        );
        assert_eq!(
            Fault::transient("put object")
                .with_retry_after(wait)
                .retry_after(),
            wait
        );
    }
}
