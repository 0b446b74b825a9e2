//! What the outbox lets others know of its ledger.

/// What is owed an answer, as of a few seconds ago at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    /// Chunks that an answer may still come for.
    pub waiting: usize,
    /// Chunks that a stage gave up.
    pub parked: usize,
    /// When the oldest of those that wait was committed, in Unix microseconds. One that is parked waits for a person, and says nothing of the way.
    pub oldest_us: Option<i64>,
}
