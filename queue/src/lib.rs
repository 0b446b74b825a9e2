//! The queue: what travels between stages, and the promise that it arrives.
//!
//! ```text
//!            Publisher                            JetStream                             Worker
//!   message ──► window ──► answer awaited ──► stream ──► durable ──► pull ──► Handler::handle ──┬─ Ok          ──► double ack
//!                            retried for ever    │                    ▲  held: kept alive       ├─ Retry       ──► nak, jittered
//!                                                │                    └── free hands only       ├─ Reject      ──► dead letter, term
//!                                                └──────► Reader, Answers (other ways to listen) └─ Unavailable ──► wait for what is away
//! ```
//!
//! A stage writes a [`Handler`]; it never sees an acknowledgement. Order, always: effect, its announcement's publish answered, double ack;
//! dead letter's publish answered, term. Every promise rests on that order, and on nothing that a server remembers only for a while.
//!
//! [`connect`] gives a [`Connection`]; [`topology`] makes and checks what must be on the server; [`Connection::publisher`], [`Worker`],
//! [`Answers`] and [`Reader`] are the four ways to use it. Libraries do not log, with one exception: [`Worker::run`] owns its loop.
#![warn(missing_docs)]

mod answers;
mod api;
mod backlog;
mod backoff;
mod connection;
mod dead_letter;
mod dead_letters;
pub mod header;
mod message;
pub mod message_id;
mod overview;
mod prefix;
mod publisher;
mod pull;
mod queued;
mod reader;
mod readiness;
mod span;
mod spools;
mod stage;
mod stream;
mod subject;
pub mod topology;
mod worker;

pub use answers::{Answer, Answers, AnswersError, Notice};
pub use api::ApiError;
pub use backlog::Backlog;
pub use backoff::Backoff;
pub use connection::{
    ConnectError, ConnectOptions, Connection, FlushError, LinkState, Purpose, Version, connect,
};
pub use dead_letters::{Buried, BuriedError, DeadLetters, DeadNotice, Plot, Replayed, trace_of};
pub use message::{Decode, DecodeError, Message};
pub use overview::{ConsumerState, Holds, Overview, OverviewError, StreamState, Work};
pub use prefix::{Prefix, PrefixError};
pub use publisher::{PublishError, Published, Publisher, Stall, Stalls};
pub use queued::QueuedError;
pub use reader::{From, Reader, ReaderError, Received};
pub use readiness::{NotReady, Readiness};
pub use spools::{Spools, SpoolsError};
pub use stage::{Stage, StageError};
pub use stream::Stream;
pub use subject::{Subject, Subjects, Topic};
pub use worker::{
    BindError, BoxError, Cause, Delivery, Drained, Failure, Handler, Headers, Limits, Worker,
    WorkerConfig, WorkerState,
};
