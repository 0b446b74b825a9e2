//! The queue's promises, each against a real nats-server.
//!
//! `scene` sets the stage: a server of the test's own, streams, workers that do what the test says. The other modules are claims.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod absence;
#[path = "../chunks/mod.rs"]
mod chunks;
mod connection;
mod dead_letters;
mod lame_duck;
mod lease;
mod outcome;
mod papers;
mod publisher;
mod reader;
mod readiness;
mod scene;
mod spans;
mod spool_events;
mod stopping;
mod successor;
mod suspect;
mod topology;
mod ways_in;
