//! The streams and consumers that must be there, and the way from what is there to them.
//!
//! ```text
//!   {p}.chunks.*.*   ─► CHUNKS     work queue; full = back-pressure ──► durable uploader
//!   {p}.runs.*.*     ─┘
//!   {p}.uploaded.*.* ─► UPLOADED   72 h ──► durable inspector; durables spool-<id> of the ingestors
//!   {p}.inspected.*.*─► INSPECTED  72 h
//!   {p}.events.*.*   ─► EVENTS     30 d
//!   {p}.dead.*.*.*   ─► DEAD       30 d
//!   $KV.{p}_spools.> ─► KV_{p}_spools
//!   $KV.{p}_suspects.> ─► KV_{p}_suspects   24 h
//! ```
//!
//! [`plan`] looks and decides, [`Plan::apply`] does it, and in between a person may read the changes. Doing it twice changes nothing. Only
//! setting up makes streams; daemons [`check`] that theirs are there.

mod apply;
mod check;
mod consumers;
mod diff;
mod inspect;
mod plan;
mod sizes;
mod streams;

pub use {
    apply::Applied,
    check::{MissingStreams, check},
    diff::Change,
    inspect::TopologyError,
    plan::{Plan, plan},
};

pub(crate) use consumers::stage_consumer;

/// Counts changes of the settings below that an older version would not understand. Written into each stream's metadata; a stream with a
/// higher number was made by a newer version, and its settings are left alone.
pub const SCHEMA: u32 = 1;
