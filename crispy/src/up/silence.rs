//! What it means that nothing is heard any more. Pure.
//!
//! The ingestor has ended without an error, and still the session is not over. Most often the last messages are on their way. If not, there
//! are three reasons, and none of them may make an operator wait for ever.

use std::time::Duration;

/// How long nothing may be heard before one wonders.
const SHORT: Duration = Duration::from_secs(1);

/// How long nothing may be heard until what is missing is given up: longer than an inspector that died keeps its messages (60 s).
const LONG: Duration = Duration::from_secs(90);

/// What to do about a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Listen on.
    Wait,
    /// The ingestor was stopped, and not by us: its sources have not ended.
    RestartIngestor,
    /// An earlier session may have been told of the missing inspections: read what it was told.
    LookBack,
    /// Ask whether the inspectors have anything left. If not, what is missing will not come: the queue was wiped, or what it held was for
    /// another bucket.
    AskTheQueue,
    /// Nothing will come.
    GiveUp,
}

/// What to do after `silence` since the ingestor ended or something was heard. `sources_ended`: every camera has; `looked_back`: that was
/// done.
pub(super) fn step(silence: Duration, sources_ended: bool, looked_back: bool) -> Step {
    if silence < SHORT {
        Step::Wait
    } else if !sources_ended {
        Step::RestartIngestor
    } else if silence >= LONG {
        Step::GiveUp
    } else if !looked_back {
        Step::LookBack
    } else if silence >= 2 * SHORT {
        Step::AskTheQueue
    } else {
        Step::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_silence_has_its_step() {
        let after = |ms| Duration::from_millis(ms);
        assert_eq!(step(after(999), false, false), Step::Wait);
        assert_eq!(step(after(1_000), false, false), Step::RestartIngestor);
        assert_eq!(step(after(1_000), true, false), Step::LookBack);
        assert_eq!(step(after(1_000), true, true), Step::Wait);
        assert_eq!(step(after(2_000), true, true), Step::AskTheQueue);
        assert_eq!(step(after(90_000), true, true), Step::GiveUp);
        assert_eq!(
            step(after(90_000), true, false),
            Step::GiveUp,
            "a server that is away cannot be read"
        );
    }
}
