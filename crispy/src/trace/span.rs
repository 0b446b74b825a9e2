//! What a viewer of traces knows of a piece of work, whichever way it tells it.

use std::{collections::BTreeMap, error::Error, fmt, str::FromStr};

use crispy_proto::{id::ChunkId, v1};

/// The id of a trace: 32 hexadecimal digits, not all zero (W3C Trace Context). Kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TraceId(String);

impl FromStr for TraceId {
    type Err = NoTraceId;

    fn from_str(text: &str) -> Result<Self, NoTraceId> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match digits && text.bytes().any(|byte| byte != b'0') {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(NoTraceId),
        }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not the id of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoTraceId;

impl fmt::Display for NoTraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a trace id has 32 hexadecimal digits, not all of them zero")
    }
}

impl Error for NoTraceId {}

/// One piece of work in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The trace that it is part of.
    pub trace: TraceId,
    /// Its own id.
    pub id: String,
    /// The span that caused it; it need not have been kept.
    pub parent: Option<String>,
    /// The program: `crispy-uploader`.
    pub service: String,
    /// What was done.
    pub name: String,
    /// When it began, in Unix nanoseconds.
    pub start_ns: u64,
    /// How long it took, in nanoseconds.
    pub duration_ns: u64,
    /// Why it failed, if it did; empty where nobody said why.
    pub error: Option<String>,
    /// What else is known of it, as text.
    pub attributes: BTreeMap<String, String>,
}

impl Span {
    /// When it ended, in Unix nanoseconds.
    pub(crate) fn end_ns(&self) -> u64 {
        self.start_ns.saturating_add(self.duration_ns)
    }

    /// Which delivery of its message this is, from the second on.
    pub(crate) fn redelivery(&self) -> Option<u64> {
        let delivery = self.attributes.get("delivery")?.parse().ok()?;
        (delivery > 1).then_some(delivery)
    }

    /// The chunk that it is about, where it says so.
    pub(crate) fn chunk(&self) -> Option<ChunkId> {
        let text = |name: &str| self.attributes.get(name).cloned();
        ChunkId::from_wire(Some(&v1::ChunkId {
            site: text("site")?,
            camera: text("camera")?,
            run: text("run")?,
            sequence: text("sequence")?.parse().ok()?,
        }))
        .ok()
    }
}
