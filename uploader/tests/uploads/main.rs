//! Uploads through the real handler: a real spool, a real queue with its worker, and a bucket in
//! memory or in the simulator of Google Cloud Storage.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic with its line is the best report"
)]

mod faults;
mod fixture;
mod limits;
mod outage;
mod poison;
mod process;
mod redelivery;
mod rivals;
mod tokens;
