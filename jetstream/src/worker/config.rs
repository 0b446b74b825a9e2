//! Settings of a worker.

use std::time::Duration;

/// Settings of a [`crate::Worker`].
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The name of the stream to take messages from.
    pub stream: String,
    /// The name of its consumer, shared by all workers of one kind. Metrics carry it as `stage`.
    pub consumer: String,
    /// The place of the crash guard's marks.
    pub crash_marks: CrashMarks,
    /// Messages handled at once, at least 1.
    pub concurrency: usize,
    /// The time that a stopping worker gives to running attempts. Where the server does not answer,
    /// it stops up to 2 s later.
    pub grace: Duration,
    /// Limits of retries and delays.
    pub limits: Limits,
}

impl WorkerConfig {
    /// Default settings: 8 messages at once, 25 s of grace (Kubernetes gives 30 s).
    pub fn new(stream: String, consumer: String, crash_marks: CrashMarks) -> Self {
        Self {
            stream,
            consumer,
            crash_marks,
            concurrency: 8,
            grace: Duration::from_secs(25),
            limits: Limits::default(),
        }
    }
}

/// The place of the crash guard's marks: one message per suspicious message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashMarks {
    /// The name of the stream. It keeps the last message of each subject and allows purges.
    pub stream: String,
    /// The first tokens of the marks' subjects.
    pub subject: String,
}

/// Limits of retries and delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Retries after which a message becomes a dead letter, if [`Self::retry_period`] has passed
    /// too. This worker counts them.
    pub retries: u32,
    /// The least time from the first retry to the dead letter.
    pub retry_period: Duration,
    /// Deliveries, by the server's count, from which the crash guard marks a message before it is
    /// handled, unless this worker has seen an attempt at it end.
    pub suspicious_deliveries: u64,
    /// Marked attempts that never ended after which a message becomes a dead letter, unhandled.
    pub crashes: u32,
    /// The delay after the first retry. It doubles from there.
    pub first_delay: Duration,
    /// The longest delay between retries.
    pub longest_delay: Duration,
    /// The longest delay of a message whose dependency is unavailable, or that needs a newer
    /// version.
    pub longest_wait: Duration,
    /// The time between two probes of an unavailable dependency.
    pub probe_interval: Duration,
    /// The longest time to store a dead letter. After that (the stream of dead letters is missing,
    /// or full) the message goes back and is given up later: poison must not fill the worker.
    pub dead_letter_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            retries: 8,
            retry_period: Duration::from_secs(600),
            // With a lease of 30 s a deadly message is given up after four minutes: four crashes
            // without a mark, three with one.
            suspicious_deliveries: 5,
            crashes: 3,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(120),
            longest_wait: Duration::from_secs(60),
            probe_interval: Duration::from_secs(2),
            dead_letter_timeout: Duration::from_secs(10),
        }
    }
}
