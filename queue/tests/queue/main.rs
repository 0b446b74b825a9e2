//! The queue's guarantees, against real nats-servers.
//!
//! `fixture` has a server for each test, streams and scripted workers. The other modules are
//! claims.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

#[path = "../chunks/mod.rs"]
mod chunks;
mod crash_guard;
mod dead_letters;
mod decisions;
mod drain;
mod fixture;
mod lame_duck;
mod lease;
mod outages;
mod publisher;
mod reader;
mod readiness;
mod spans;
mod spool_events;
mod stream_epoch;
mod topology;
