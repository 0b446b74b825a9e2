//! Uploads through the real handler: a real spool, a real queue with its worker, and a bucket that
//! is memory, or Google Cloud Storage as far as the simulator goes.
#![allow(
    clippy::unwrap_used,
    reason = "in a test a panic with its line is the best report"
)]

mod faults;
mod ground;
mod limits;
mod outage;
mod poison;
mod process;
mod redelivery;
mod rivals;
mod tokens;
