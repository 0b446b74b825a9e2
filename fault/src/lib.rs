//! The one failure type: what was being done, whether it can work later, and what to do about it.
//!
//! ```text
//!   HTTP answer, errno ──► bucket, spool ──► uploader, inspector ──► worker: retry, wait or dead letter
//!                          make a Fault      add what they did       └► runtime: exit code
//! ```
//!
//! A [`Fault`] is made where a failure is first understood. Each layer above may say what it was
//! doing ([`Fault::context`]) and never changes the [`Kind`]. Whoever decides (the worker about a
//! message, the runtime about an exit code) reads the kind and nothing else.
#![warn(missing_docs)]

use std::{borrow::Cow, error::Error, fmt, time::Duration};

/// Any error: every `thiserror` enum and `anyhow::Error` turn into it.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// What helps against a failure. The only thing that decisions depend on.
///
/// | kind | true of | next |
/// |---|---|---|
/// | `NotFound` | this thing | it is absent: create it, or go on without it |
/// | `Conflict` | this name | other content is there already: never overwrite it |
/// | `Corrupt` | these bytes | read them again from where they came; else give them up |
/// | `Rejected` | this request, however often it is made | give it up |
/// | `Transient` | this once | try again, counted |
/// | `Unavailable` | everything that needs the dependency | wait for it, not counted |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is no such thing.
    NotFound,
    /// Something else is stored under this name.
    Conflict,
    /// The bytes are not those of their checksum, or not what their type says.
    Corrupt,
    /// It can never work: wrong input, a forbidden name, a limit that it will always exceed.
    Rejected,
    /// It did not work this once.
    Transient {
        /// The least wait that the other side asks for (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// A dependency cannot be used now, whatever is asked of it.
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

/// What is unavailable, and whether every message needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Which one.
    pub id: DependencyId,
    /// Every message needs it: the worker pauses. Otherwise only messages that need it are delayed.
    pub shared: bool,
    /// The least wait that the other side asks for (`Retry-After`).
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
/// * Its `Display` is what was being done, in lower case, without its source: print the whole
///   chain with [`chain`].
/// * Its kind is the kind of the failure that caused it: context never changes it.
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

    /// [`Kind::Transient`], without a wait that anyone asked for.
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

    /// Adds what an operator can do about it, as an imperative sentence.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the least wait that the other side asked for. Kinds that are never tried again ignore it.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        match &mut self.kind {
            Kind::Transient { retry_after } => *retry_after = wait,
            Kind::Unavailable(dependency) => dependency.retry_after = wait,
            Kind::NotFound | Kind::Conflict | Kind::Corrupt | Kind::Rejected => {}
        }
        self
    }

    /// The same failure, seen from a layer above that was `doing` something. Kind and hint stay.
    #[must_use]
    pub fn context(mut self, doing: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: self.kind.clone(),
            doing: doing.into(),
            hint: self.hint.take(),
            source: Some(Box::new(self)),
        }
    }

    /// What helps.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// What an operator can do about it.
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

    /// What is unavailable, if that is the kind.
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

    /// Whether it is [`Kind::NotFound`].
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)
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
        assert_eq!(chain(&fault), "upload chunk: put object: 403 Forbidden");
    }

    #[test]
    fn only_what_is_tried_again_has_a_wait() {
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
