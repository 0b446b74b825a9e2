//! The landing between the floors: what every stage does before its work.
//!
//! ```text
//!   3rd      ingestor   uploader   inspector        roof: crispy
//!                 \        |        /                  /
//!   landing        ──── stage ────────────────────────
//!                 /        |        \
//!   2nd       queue      store     daemon
//! ```
//!
//! Queue, store and daemon do not know one another, and should not. Here, and only here, a flag becomes a connection and an error of queue
//! or store gets its row in the table of exit codes, so that all programs refuse alike.
#![warn(missing_docs)]

mod backlog;
mod bucket;
mod exits;
mod health;
mod nats;
mod worker;

pub use bucket::{BucketFlags, open_bucket};
pub use exits::{exit_of_answers, exit_of_bind, exit_of_check, exit_of_overview, exit_of_reader};
pub use health::report_queue;
pub use nats::{ContextError, FieldError, NatsFlags, Secret, check_streams, connect};
pub use worker::work;
