//! How a worker works.

use std::time::Duration;

/// Settings of a [`crate::Worker`].
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The name of the stream that its work comes from.
    pub stream: String,
    /// The name of its consumer, which all workers of one kind share; their metrics carry it as `stage`.
    pub consumer: String,
    /// Where the crash guard keeps its marks.
    pub crash_marks: CrashMarks,
    /// Messages handled at once, at least 1.
    pub concurrency: usize,
    /// How long a stopping worker lets what is under way finish. Where the server is there and does not answer, it stops up to 2 s later.
    pub grace: Duration,
    /// When a message is given up.
    pub limits: Limits,
}

impl WorkerConfig {
    /// The settings by default: 8 at once, 25 s of grace (five less than Kubernetes gives).
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

/// Where the crash guard keeps its marks: one message for each message that may be killing its workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashMarks {
    /// The name of the stream, which must keep one message a subject and allow to purge them.
    pub stream: String,
    /// First tokens of the marks' subjects.
    pub subject: String,
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
