//! The simulator of Google Cloud Storage, judged by object_store's own client for the real one.

#![allow(clippy::unwrap_used, reason = "tests")]

mod client;
mod faults;
mod google;
mod objects;
mod tokens;
