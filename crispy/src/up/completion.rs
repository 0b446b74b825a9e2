//! Decides how a session goes on when no more updates arrive. Pure.
//!
//! The ingestor has ended without an error, and the session is not complete. Usually the last
//! messages are on their way. Otherwise there are three causes, and none of them may make an
//! operator wait forever.

use std::time::Duration;

/// Time without an update before anything is done.
const SHORT_IDLE: Duration = Duration::from_secs(1);

/// Time without an update until the missing chunks are given up: longer than a dead inspector holds
/// its messages (60 s).
const LONG_IDLE: Duration = Duration::from_secs(90);

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for the next update.
    Wait,
    /// Restart the ingestor: something else stopped it, its sources have not ended.
    RestartIngestor,
    /// Read earlier inspections: the missing ones may have been published to an earlier session.
    ReadEarlier,
    /// Ask whether the inspectors have work left. If not, the missing inspections will not come:
    /// the queue was wiped, or its messages were for another bucket.
    CheckQueue,
    /// Stop waiting.
    GiveUp,
}

/// The step after `idle` time since the ingestor's exit or the last update. `sources_ended`: every
/// camera has; `read_earlier`: that step is done.
pub(super) fn next_step(idle: Duration, sources_ended: bool, read_earlier: bool) -> Step {
    if idle < SHORT_IDLE {
        Step::Wait
    } else if !sources_ended {
        Step::RestartIngestor
    } else if idle >= LONG_IDLE {
        Step::GiveUp
    } else if !read_earlier {
        Step::ReadEarlier
    } else if idle >= 2 * SHORT_IDLE {
        Step::CheckQueue
    } else {
        Step::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_idle_time_has_its_step() {
        for (idle_ms, sources_ended, read_earlier, expected) in [
            (999, false, false, Step::Wait),
            (1_000, false, false, Step::RestartIngestor),
            (1_000, true, false, Step::ReadEarlier),
            (1_000, true, true, Step::Wait),
            (2_000, true, true, Step::CheckQueue),
            (90_000, true, true, Step::GiveUp),
            // An unreachable server cannot be read.
            (90_000, true, false, Step::GiveUp),
        ] {
            let idle = Duration::from_millis(idle_ms);
            let step = next_step(idle, sources_ended, read_earlier);
            assert_eq!(step, expected, "{idle_ms} ms");
        }
    }
}
