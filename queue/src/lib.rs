//! Our streams, subjects, messages and dead letters, on JetStream.
//!
//! ```text
//!   Publisher ─► CHUNKS ─► Worker (uploader) ─► UPLOADED ─► Worker (inspector) ─► INSPECTED
//!                               └── dead letter ──► DEAD ◄── dead letter ──┘
//!   SpoolEvents ◄── UPLOADED, DEAD                   ▲
//!   DeadLetters: list, replay, drop ─────────────────┘         Reader: reads any stream
//! ```
//!
//! `crispy_jetstream` is the mechanism below: connections, pulls, acknowledgements, retries.
//! [`connect`] gives a [`Connection`]. [`topology`] makes and checks the streams on the server.
//! [`Connection::publisher`], [`Worker`], [`SpoolEvents`] and [`Reader`] are the four ways to use
//! them. A stage implements [`Handler`] and never sees an acknowledgement.
#![warn(missing_docs)]

mod connection;
mod dead_letter;
mod dead_letters;
pub mod header;
mod message;
pub mod message_id;
mod message_lookup;
mod overview;
mod prefix;
mod publisher;
mod reader;
mod span;
mod spool_events;
mod spools;
mod stage;
mod stream;
mod subject;
pub mod topology;
mod worker;

pub use connection::{Connection, connect};
pub use dead_letters::{DeadLetterFilter, DeadLetters, Replayed, StoredDeadLetter, trace_id};
pub use message::{Decode, DecodeError, Message};
pub use overview::{Backlog, ConsumerState, Overview, StreamState, StreamUsage, Work};
pub use prefix::Prefix;
pub use publisher::Publisher;
pub use reader::{Reader, Received, StartAt};
pub use spool_events::{PendingEvents, SpoolEvent, SpoolEventKind, SpoolEvents};
pub use spools::Spools;
pub use stage::Stage;
pub use stream::Stream;
pub use subject::{Subject, Subjects, Topic};
pub use worker::{Handler, Worker, WorkerConfig};
