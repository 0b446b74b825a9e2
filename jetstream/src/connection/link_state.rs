//! Role and state of a link.

use std::fmt;

/// The role of a link. A process has two, so that deliveries do not wait behind publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkRole {
    /// Pulls, deliveries, acknowledgements, API requests.
    Consuming,
    /// Publishes.
    Publishing,
}

impl fmt::Display for LinkRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Consuming => "consuming",
            Self::Publishing => "publishing",
        })
    }
}

/// The state of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkState {
    /// It is connected.
    pub connected: bool,
    /// The number of connects so far. After a change, earlier requests may never be answered.
    pub connects: u64,
    /// The server is in lame duck mode: about to close.
    pub lame_duck: bool,
}
