//! Why a process has two links: what it hears must not wait behind what it says.

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Hearing of work.
    Consuming,
    /// Sending messages.
    Publishing,
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Consuming => "consuming",
            Self::Publishing => "publishing",
        })
    }
}
