//! The status of each camera: recorded, waiting, ended or lost, and the age of its last chunk.
//!
//! ```text
//!   cameras' threads ── opened, committed, waiting, ended ──► CameraStatus
//!                                                             ├─► /metrics: crispy.camera.*
//!                                                             └─► /readyz: no camera, a full spool
//! ```
//!
//! One lost camera of many is an alert. Only when none is recorded does the ingestor have nothing
//! to do, and is not ready.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crispy_proto::id::Name;
use crispy_telemetry::{
    Reading,
    catalogue::{CAMERA, SITE},
};
use parking_lot::{Mutex, MutexGuard};

/// The time that a chunk may wait before the ingestor is not ready: a spool at its limit takes and
/// frees, and each chunk waits a moment for another to leave.
const PATIENCE: Duration = Duration::from_secs(2);

/// The reason why a chunk waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The spool's limit.
    SpoolLimit,
    /// The spool's disk.
    Disk,
}

/// The status of all cameras of this process. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct CameraStatus(Arc<Mutex<BTreeMap<String, Entry>>>);

#[derive(Debug)]
struct Entry {
    state: State,
    /// The commit of its last chunk, or the opening of its source.
    last: Instant,
    waiting: Option<(Wait, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Recorded,
    Ended,
    Lost,
}

impl CameraStatus {
    /// It is recorded from now on.
    pub(crate) fn opened(&self, camera: &str) {
        let entry = Entry {
            state: State::Recorded,
            last: Instant::now(),
            waiting: None,
        };
        self.lock().insert(camera.to_owned(), entry);
    }

    /// A chunk of it is committed.
    pub(crate) fn committed(&self, camera: &str) {
        if let Some(entry) = self.lock().get_mut(camera) {
            entry.last = Instant::now();
        }
    }

    /// It is no longer recorded: it was `lost`, or its source has ended.
    pub(crate) fn ended(&self, camera: &str, lost: bool) {
        if let Some(entry) = self.lock().get_mut(camera) {
            entry.state = if lost { State::Lost } else { State::Ended };
        }
    }

    /// Runs `work`, during which a chunk of the camera may have to wait.
    pub(crate) fn waiting<T>(&self, camera: &str, wait: Wait, work: impl FnOnce() -> T) -> T {
        self.set_waiting(camera, Some((wait, Instant::now())));
        let result = work();
        self.set_waiting(camera, None);
        result
    }

    fn set_waiting(&self, camera: &str, waiting: Option<(Wait, Instant)>) {
        if let Some(entry) = self.lock().get_mut(camera) {
            entry.waiting = waiting;
        }
    }

    /// The reasons why nothing can be recorded now, a line each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let all = self.lock();
        let waiting = |wait: Wait| {
            let waiting = all.values().filter_map(|entry| entry.waiting);
            waiting
                .filter(|(reason, since)| *reason == wait && since.elapsed() > PATIENCE)
                .count()
        };
        let (limit, disk) = (waiting(Wait::SpoolLimit), waiting(Wait::Disk));
        let mut problems = Vec::new();
        if limit > 0 {
            problems.push(format!(
                "the spool is full and {limit} of its cameras wait: check that uploaders run and \
                 that the bucket takes chunks, or raise --spool-limit"
            ));
        }
        if disk > 0 {
            problems.push(format!(
                "the spool's disk takes no chunk and {disk} of its cameras wait: free space on it, \
                 or check whether it hangs"
            ));
        }
        let any = |state| all.values().any(|entry| entry.state == state);
        if any(State::Lost) && !any(State::Recorded) {
            problems.push(
                "no camera is recorded: fix the reason that the log gives for each, and restart"
                    .into(),
            );
        }
        problems
    }

    /// 1 for each camera that is recorded, 0 for each lost one.
    pub(crate) fn up(&self, site: &Name) -> Vec<Reading> {
        self.readings(site, |entry| {
            f64::from(u8::from(entry.state == State::Recorded))
        })
    }

    /// Seconds since the last chunk of each.
    pub(crate) fn ages(&self, site: &Name) -> Vec<Reading> {
        self.readings(site, |entry| entry.last.elapsed().as_secs_f64())
    }

    /// A file that has been read to its end is not shown any more.
    fn readings(&self, site: &Name, value: impl Fn(&Entry) -> f64) -> Vec<Reading> {
        let all = self.lock();
        let shown = all.iter().filter(|(_, entry)| entry.state != State::Ended);
        shown
            .map(|(camera, entry)| {
                let labels = vec![(SITE, site.to_string()), (CAMERA, camera.clone())];
                (value(entry), labels)
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Name {
        "demo".parse().expect("a name")
    }

    #[test]
    fn one_lost_camera_of_two_leaves_the_ingestor_ready() {
        let status = CameraStatus::default();
        status.opened("front");
        status.opened("till");
        status.ended("till", true);
        let up = status.up(&site()).into_iter().map(|(value, _)| value);
        assert_eq!(Vec::from_iter(up), [1.0, 0.0]);
        assert!(status.problems().is_empty());
        status.ended("front", true);
        assert_eq!(status.problems().len(), 1);
    }

    #[test]
    fn a_source_that_has_ended_is_neither_a_problem_nor_shown() {
        let status = CameraStatus::default();
        status.opened("front");
        status.ended("front", false);
        assert!(
            status.problems().is_empty()
                && status.up(&site()).is_empty()
                && status.ages(&site()).is_empty()
        );
    }

    #[test]
    fn a_chunk_that_waits_long_is_a_problem_while_it_waits() {
        let status = CameraStatus::default();
        status.opened("front");
        for (wait, word) in [(Wait::SpoolLimit, "--spool-limit"), (Wait::Disk, "disk")] {
            let problems = status.waiting("front", wait, || {
                let long_ago = Instant::now() - 2 * PATIENCE;
                status.set_waiting("front", Some((wait, long_ago)));
                status.problems()
            });
            assert!(
                problems.len() == 1 && problems[0].contains(word),
                "{problems:?}"
            );
            assert!(status.problems().is_empty());
        }
    }
}
