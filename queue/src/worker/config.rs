//! How a worker works.

use std::time::Duration;

use crate::Stage;

/// Settings of a [`crate::Worker`].
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Whose work it does.
    pub stage: Stage,
    /// Messages handled at once, at least 1.
    pub concurrency: usize,
    /// How long a stopping worker lets what is under way finish. Where the server is there and does not answer, it stops up to 2 s later.
    pub grace: Duration,
    /// When a message is given up.
    pub limits: Limits,
    /// Which process this is, for dead letters: host name and process.
    pub instance: String,
    /// The program's version, for dead letters.
    pub version: String,
}

impl WorkerConfig {
    /// The settings of `stage` by default: 8 at once, 25 s of grace (five less than Kubernetes gives).
    pub fn new(stage: Stage) -> Self {
        Self {
            stage,
            concurrency: 8,
            grace: Duration::from_secs(25),
            limits: Limits::default(),
            instance: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// When a worker gives a message up, and how long it waits before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Retries, counted by this worker, at or over which a message is given up, if [`Self::retrying`] has passed too.
    pub retries: u32,
    /// Time since the first of them.
    pub retrying: Duration,
    /// Deliveries by the server's count, at or over which a message that this worker has never seen the end of may be killing its workers: it
    /// is marked while it is handled.
    pub suspicion: u64,
    /// Marked handlings that never ended, at which it is given up unhandled.
    pub deaths: u32,
    /// The pause after a message's first retry; it doubles from there.
    pub first_pause: Duration,
    /// The longest pause between retries.
    pub longest_pause: Duration,
    /// The longest pause of a message whose owner is away, or that needs a newer version.
    pub longest_absence: Duration,
    /// Time between two probes of a destination that is away.
    pub probe_every: Duration,
    /// How long a dead letter may take to be stored. A message whose letter takes longer (the stream of dead letters is missing, or full) goes
    /// back and is given up later: poison must not fill all that a worker may hold.
    pub burying: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            retries: 8,
            retrying: Duration::from_secs(600),
            // With a lease of 30 s a deadly message is given up after four minutes: four deaths unmarked, three marked.
            suspicion: 5,
            deaths: 3,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(120),
            longest_absence: Duration::from_secs(60),
            probe_every: Duration::from_secs(2),
            burying: Duration::from_secs(10),
        }
    }
}
