//! The queue's promises, each against a real nats-server.
//!
//! `scene` sets the stage: a server of the test's own, streams, workers that do what the test says. The other modules are claims.

mod answers;
mod connection;
mod publisher;
mod reader;
mod restart;
mod scene;
mod topology;
mod worker;
