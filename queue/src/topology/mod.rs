//! The streams and consumers of the system, and the plan that makes or changes them.
//!
//! ```text
//!   {p}.chunks.*.*      ─► CHUNKS     work queue; full = back-pressure ─► consumer uploader
//!   {p}.runs.*.*        ─┘
//!   {p}.uploaded.*.*    ─► UPLOADED   72 h ─► consumer inspector; spool-<id> of ingestors
//!   {p}.inspected.*.*   ─► INSPECTED  72 h
//!   {p}.events.*.*      ─► EVENTS     30 d
//!   {p}.dead.*.*.*      ─► DEAD       30 d ─► spool-<id> of ingestors
//!   $KV.{p}_spools.>    ─► KV_{p}_spools
//!   $KV.{p}_suspects.>  ─► KV_{p}_suspects   24 h
//! ```
//!
//! [`plan`] looks and decides, [`Plan::apply`] carries it out, and an operator may read the changes
//! in between. Applying twice changes nothing. Only `crispy setup` and `crispy up` make streams;
//! daemons [`check`] that theirs exist.

mod apply;
mod diff;
mod inspect;
mod plan;
mod settings;
mod sizes;

pub use apply::Applied;
pub use diff::Change;
pub use inspect::check;
pub use plan::{Plan, plan};

pub(crate) use inspect::present;

/// Version of the settings below. Raised by changes that an older program would not understand.
///
/// Each stream's metadata carries it. A stream with a higher number was made by a newer version,
/// and its settings are left alone.
pub const SCHEMA: u32 = 1;
