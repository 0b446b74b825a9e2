//! The streams, their names and their subjects.

use crate::Prefix;

/// A stream of the system. `topology` documents the settings of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stream {
    /// Work for the uploaders: committed chunks, and run states.
    Chunks,
    /// Upload events: work for the inspectors, and spool events for each ingestor.
    Uploaded,
    /// Inspections.
    Inspected,
    /// Events of cameras.
    Events,
    /// Dead letters.
    Dead,
    /// Addresses of spools: the stream behind the key-value bucket `{prefix}_spools`.
    Spools,
    /// Marks of messages that may crash their workers: the stream behind the key-value bucket
    /// `{prefix}_suspects`.
    CrashMarks,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 7] = [
        Self::Chunks,
        Self::Uploaded,
        Self::Inspected,
        Self::Events,
        Self::Dead,
        Self::Spools,
        Self::CrashMarks,
    ];

    /// The stream's name on the server: `CRISPY_CHUNKS` under the default prefix.
    ///
    /// Two prefixes never share a name: a prefix has no upper-case letters, so that upper-casing
    /// keeps prefixes distinct.
    pub fn name(self, prefix: &Prefix) -> String {
        let suffix = match self {
            Self::Chunks => "CHUNKS",
            Self::Uploaded => "UPLOADED",
            Self::Inspected => "INSPECTED",
            Self::Events => "EVENTS",
            Self::Dead => "DEAD",
            // The server's convention for key-value buckets, so that `nats kv` finds it.
            Self::Spools => return format!("KV_{prefix}_spools"),
            Self::CrashMarks => return format!("KV_{prefix}_suspects"),
        };
        format!("{}_{suffix}", prefix.as_str().to_ascii_uppercase())
    }

    /// The subjects that the stream captures.
    pub fn subjects(self, prefix: &Prefix) -> Vec<String> {
        match self {
            Self::Chunks => vec![format!("{prefix}.chunks.*.*"), format!("{prefix}.runs.*.*")],
            Self::Uploaded => vec![format!("{prefix}.uploaded.*.*")],
            Self::Inspected => vec![format!("{prefix}.inspected.*.*")],
            Self::Events => vec![format!("{prefix}.events.*.*")],
            Self::Dead => vec![format!("{prefix}.dead.*.*.*")],
            Self::Spools => vec![format!("$KV.{prefix}_spools.>")],
            Self::CrashMarks => vec![format!("$KV.{prefix}_suspects.>")],
        }
    }
}
