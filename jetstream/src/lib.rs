//! NATS JetStream: a lasting connection, a patient publisher, a worker that loses nothing.
//!
//! ```text
//!   Publisher   message ──► window (64) ──► request ──► acknowledged; retried for ever
//!                                             │
//!   JetStream                              stream ──► consumer
//!                                                        │ pull: free permits only
//!   Worker                                               └─► Processor::handle ─┬─ Ok: double ack
//!                                 leases extended meanwhile                     ├─ transient: nak
//!                                                                               ├─ rejected: dead
//!                                                                               │  letter, term
//!                                                                               └─ unavailable
//! ```
//!
//! Mechanism only: it knows no chunk, and no stream of ours. `crispy_queue` adds those.
//!
//! Order, always: effect, its event's publish acknowledged, double ack; dead letter's publish
//! acknowledged, term. Every guarantee rests on that order, and on nothing that a server remembers
//! only for a while. The crate logs in two places only: [`Worker::run`], and a link's events.
#![warn(missing_docs)]

pub mod api;
mod backoff;
mod connection;
pub mod header;
mod publisher;
pub mod pull;
mod readiness;
mod span;
mod worker;

pub use api::ApiError;
pub use backoff::Backoff;
pub use connection::{
    ConnectError, ConnectOptions, Connection, FlushError, LinkRole, LinkState, Version, connect,
};
pub use publisher::{Outgoing, PublishError, Published, Publisher, Stall, Stalls, insert_header};
pub use readiness::{NotReady, Readiness, WorkerState};
pub use worker::{
    CrashMarks, DeadLetter, DeadLetterKind, DecodeError, Delivery, Headers, Limits, Processor,
    Summary, Worker, WorkerConfig,
};
