//! Where a message is.

/// Which message: a place in a stream that was made at a known time, and so no other message ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) created_us: i64,
    pub(super) sequence: u64,
}
