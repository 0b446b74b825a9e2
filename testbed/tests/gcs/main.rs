//! The simulator of Google Cloud Storage, tested by clients of the real one.

#![allow(clippy::unwrap_used, reason = "tests")]

mod client;
mod faults;
mod google;
mod objects;
mod tokens;
