//! NATS JetStream: a connection that lasts, a publisher that waits, and a worker that loses nothing.
//!
//! ```text
//!            Publisher                            JetStream                               Worker
//!   message ──► window ──► answer awaited ──► stream ──► consumer ──► pull ──► Processor::handle ──┬─ Ok          ──► double ack
//!                            retried for ever                          ▲  held: kept alive         ├─ transient   ──► nak, jittered
//!                                                                      └── free permits only       ├─ rejected    ──► dead letter, term
//!                                                                                                  └─ unavailable ──► wait for the dependency
//! ```
//!
//! Mechanism only: the crate knows no chunk, and no stream of ours. `crispy_queue` adds those.
//!
//! Order, always: effect, its announcement's publish answered, double ack; dead letter's publish
//! answered, term. Every promise rests on that order, and on nothing that a server remembers only
//! for a while. Libraries do not log, with one exception: [`Worker::run`] owns its loop.
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
    ConnectError, ConnectOptions, Connection, FlushError, LinkState, Purpose, Version, connect,
};
pub use publisher::{Outgoing, PublishError, Published, Publisher, Stall, Stalls, insert_header};
pub use readiness::{NotReady, Readiness};
pub use worker::{
    BindError, BoxError, Cause, CrashMarks, DeadLetter, DeadLetterKind, DecodeError, Delivery,
    Drained, Failure, Headers, Limits, Processor, Worker, WorkerConfig, WorkerState,
};
