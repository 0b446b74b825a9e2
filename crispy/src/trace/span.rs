//! A span and the id of its trace.

use std::{collections::BTreeMap, error::Error, fmt, str::FromStr};

use crispy_proto::{id::ChunkId, v1};

/// Id of a trace: 32 hexadecimal digits, not all zero (W3C Trace Context). Kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TraceId(String);

impl FromStr for TraceId {
    type Err = InvalidTraceId;

    fn from_str(text: &str) -> Result<Self, InvalidTraceId> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match digits && text.bytes().any(|byte| byte != b'0') {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(InvalidTraceId),
        }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not a trace id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidTraceId;

impl fmt::Display for InvalidTraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a trace id has 32 hexadecimal digits, not all of them zero")
    }
}

impl Error for InvalidTraceId {}

/// One operation of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its trace.
    pub trace: TraceId,
    /// Its own id.
    pub id: String,
    /// The id of its parent, which the trace may lack.
    pub parent: Option<String>,
    /// The program: `crispy-uploader`.
    pub service: String,
    /// The operation.
    pub name: String,
    /// Start in Unix nanoseconds.
    pub start_ns: u64,
    /// Duration in nanoseconds.
    pub duration_ns: u64,
    /// The error if it failed; empty if no reason was recorded.
    pub error: Option<String>,
    /// Attributes as text.
    pub attributes: BTreeMap<String, String>,
}

impl Span {
    /// End in Unix nanoseconds.
    pub(crate) fn end_ns(&self) -> u64 {
        self.start_ns.saturating_add(self.duration_ns)
    }

    /// The number of its message's delivery, from the second on.
    pub(crate) fn redelivery(&self) -> Option<u64> {
        let delivery = self.attributes.get("delivery")?.parse().ok()?;
        (delivery > 1).then_some(delivery)
    }

    /// The chunk in its attributes.
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
