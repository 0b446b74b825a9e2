//! Our streams, subjects, messages and dead letters, on JetStream.
//!
//! ```text
//!   ingestor ── Publisher ──► CHUNKS ──► Worker (uploader) ──► UPLOADED ──► Worker (inspector) ──► INSPECTED
//!                                          │ gives up             │             │ gives up
//!      Answers ◄── DEAD ◄──────────────────┴──────────────────────┼─────────────┘
//!         ▲         └── DeadLetters: list, replay, drop           │        Reader: any stream, nothing taken from it
//!         └───────────────────────────────────────────────────────┘
//! ```
//!
//! `crispy_jetstream` is the mechanism below: connections, pulls, acknowledgements, retries.
//! [`connect`] gives a [`Connection`]; [`topology`] makes and checks what must be on the server;
//! [`Connection::publisher`], [`Worker`], [`Answers`] and [`Reader`] are the four ways to use it.
//! A stage writes a [`Handler`]; it never sees an acknowledgement.
#![warn(missing_docs)]

mod answers;
mod backlog;
mod connection;
mod dead_letter;
mod dead_letters;
pub mod header;
mod message;
pub mod message_id;
mod overview;
mod prefix;
mod publisher;
mod queued;
mod reader;
mod span;
mod spools;
mod stage;
mod stream;
mod subject;
pub mod topology;
mod worker;

pub use answers::{Answer, Answers, AnswersError, Notice};
pub use backlog::Backlog;
pub use connection::{Connection, connect};
pub use dead_letters::{Buried, BuriedError, DeadLetters, DeadNotice, Plot, Replayed, trace_of};
pub use message::{Decode, DecodeError, Message};
pub use overview::{ConsumerState, Holds, Overview, OverviewError, StreamState, Work};
pub use prefix::Prefix;
pub use publisher::Publisher;
pub use queued::QueuedError;
pub use reader::{From, Reader, ReaderError, Received};
pub use spools::{Spools, SpoolsError};
pub use stage::Stage;
pub use stream::Stream;
pub use subject::{Subject, Subjects, Topic};
pub use worker::{Handler, Worker, WorkerConfig};
