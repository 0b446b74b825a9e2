//! The wire format: messages, ids and object keys.
//!
//! ```text
//!   ingestor ─ ChunkReady, RunState ─► uploader ─ ChunkUploaded ─► inspector ─ ChunkInspected ─►
//!       │                                 └────── ChunkUploaded ─► ingestor (frees its spool)
//!       └─ CameraEvent, ChunkDropped ─► operators      any stage ─ DeadLetter ─► `crispy dead`
//! ```
//!
//! [`v1`] contains the generated messages; `crispy/v1/*.proto` document each field. Messages may
//! come from any program, so their strings are not trusted until they have passed through [`id`].
//! It parses them as [`id::Name`], [`id::Run`] and [`id::ChunkId`], and builds subject tokens,
//! spool paths and object keys from those.
#![warn(missing_docs)]

pub mod id;

/// Messages of package `crispy.v1`, generated from `crispy/v1/*.proto`, which document each field.
#[allow(
    missing_docs,
    reason = "generated, with the comments of the schema where it has them"
)]
#[allow(clippy::doc_markdown, clippy::large_enum_variant, reason = "generated")]
#[allow(
    rustdoc::broken_intra_doc_links,
    reason = "generated; the schema has ranges and patterns in brackets"
)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/crispy.v1.rs"));
    // The schema keeps its first name, which travels in headers.
    pub use self::{DeadRuling as DeadLetterDecision, dead_ruling as dead_letter_decision};
}
