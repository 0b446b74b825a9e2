//! The wire: everything that crosses a process boundary, and nothing else.
//!
//! ```text
//!   ingestor ── ChunkReady, RunState ──► uploader ── ChunkUploaded ──► inspector ── ChunkInspected ──► whoever comes next
//!       │                                    └─────── ChunkUploaded ──► ingestor (frees its spool)
//!       └── CameraEvent, ChunkDropped ──► operators          any stage ── DeadLetter ──► `crispy dead`
//! ```
//!
//! [`v1`] holds the generated messages; `crispy/v1/*.proto` say what each field means. Messages are plain data that anybody may have
//! written, so nothing in them is trusted until it has passed through [`id`], the one door for outside names: it turns strings into
//! [`id::Name`], [`id::Run`] and [`id::ChunkId`], and those into subjects' tokens, spool paths and object keys.
#![warn(missing_docs)]

pub mod id;

/// Messages of package `crispy.v1`, generated from `crispy/v1/*.proto`, where each field is explained.
#[allow(
    missing_docs,
    reason = "generated; the schema's comments come along where it has them"
)]
#[allow(clippy::doc_markdown, clippy::large_enum_variant, reason = "generated")]
#[allow(
    rustdoc::broken_intra_doc_links,
    reason = "generated; the schema speaks of ranges and patterns in brackets"
)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/crispy.v1.rs"));
}
