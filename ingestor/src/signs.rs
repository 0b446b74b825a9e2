//! Signs of life: whether each camera is recorded, what it waits for, and since when it has given nothing.
//!
//! ```text
//!   cameras' threads ── opened, chunk, waiting, ended ──► Signs ─┬─► /metrics: crispy.camera.*
//!                                                               └─► /readyz: no camera, a spool that takes nothing
//! ```
//!
//! One camera of many that is lost is an alert; only where none is recorded the ingestor has nothing to do, and is not ready.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crispy_proto::id::Name;
use crispy_telemetry::{
    Reading,
    catalogue::{CAMERA, SITE},
};

/// How long a chunk may wait for its place before the ingestor says that it is not ready: a spool at its limit takes and gives, and each
/// chunk waits a moment for the one that leaves.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a chunk waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Room within the spool's limit.
    Room,
    /// The spool's disk.
    Disk,
}

/// How all cameras of this process stand. A clone shows the same.
#[derive(Clone, Debug, Default)]
pub struct Signs(Arc<Mutex<BTreeMap<String, Sign>>>);

#[derive(Debug)]
struct Sign {
    stands: Stands,
    /// When its last chunk was committed, or its source opened.
    last: Instant,
    waits: Option<(Wait, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Recorded,
    Ended,
    Lost,
}

impl Signs {
    /// It is recorded from now on.
    pub fn opened(&self, camera: &str) {
        let sign = Sign {
            stands: Stands::Recorded,
            last: Instant::now(),
            waits: None,
        };
        self.all().insert(camera.to_owned(), sign);
    }

    /// A chunk of it is committed.
    pub fn chunk(&self, camera: &str) {
        if let Some(sign) = self.all().get_mut(camera) {
            sign.last = Instant::now();
        }
    }

    /// It is not recorded any more: `lost`, or because there was no more to record.
    pub fn ended(&self, camera: &str, lost: bool) {
        if let Some(sign) = self.all().get_mut(camera) {
            sign.stands = if lost { Stands::Lost } else { Stands::Ended };
        }
    }

    /// Does `work`, during which a chunk of the camera may have to wait.
    pub fn waiting<T>(&self, camera: &str, wait: Wait, work: impl FnOnce() -> T) -> T {
        self.wait(camera, Some((wait, Instant::now())));
        let done = work();
        self.wait(camera, None);
        done
    }

    fn wait(&self, camera: &str, waits: Option<(Wait, Instant)>) {
        if let Some(sign) = self.all().get_mut(camera) {
            sign.waits = waits;
        }
    }

    /// Why nothing can be recorded now, a line each; nothing if it can.
    pub fn reasons(&self) -> Vec<String> {
        let all = self.all();
        let waiting = |wait: Wait| {
            let waits = all.values().filter_map(|sign| sign.waits);
            waits
                .filter(|(what, since)| *what == wait && since.elapsed() > PATIENCE)
                .count()
        };
        let (room, disk) = (waiting(Wait::Room), waiting(Wait::Disk));
        let mut reasons = Vec::new();
        if room > 0 {
            reasons.push(format!(
                "the spool is full and {room} of its cameras wait: see whether uploaders run and the bucket takes chunks, or raise --spool-limit"
            ));
        }
        if disk > 0 {
            reasons.push(format!(
                "the spool's disk takes no chunk and {disk} of its cameras wait: make room on it, or see whether it hangs"
            ));
        }
        let stands = |as_this| all.values().any(|sign| sign.stands == as_this);
        if stands(Stands::Lost) && !stands(Stands::Recorded) {
            reasons.push(
                "no camera is recorded: the log says why each was lost; mend it and restart".into(),
            );
        }
        reasons
    }

    /// 1 for each camera that is recorded, 0 for each that was lost.
    pub(crate) fn up(&self, site: &Name) -> Vec<Reading> {
        self.readings(site, |sign| {
            f64::from(u8::from(sign.stands == Stands::Recorded))
        })
    }

    /// Seconds since the last chunk of each.
    pub(crate) fn ages(&self, site: &Name) -> Vec<Reading> {
        self.readings(site, |sign| sign.last.elapsed().as_secs_f64())
    }

    /// A file that has been read to its end is nobody's concern any more.
    fn readings(&self, site: &Name, value: impl Fn(&Sign) -> f64) -> Vec<Reading> {
        let all = self.all();
        let shown = all.iter().filter(|(_, sign)| sign.stands != Stands::Ended);
        shown
            .map(|(camera, sign)| {
                let whose = vec![(SITE, site.to_string()), (CAMERA, camera.clone())];
                (value(sign), whose)
            })
            .collect()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Sign>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Name {
        "demo".parse().expect("a name")
    }

    #[test]
    fn one_lost_camera_of_two_is_shown_and_the_ingestor_is_ready_still() {
        let signs = Signs::default();
        signs.opened("front");
        signs.opened("till");
        signs.ended("till", true);
        let up: Vec<_> = signs
            .up(&site())
            .into_iter()
            .map(|(value, _)| value)
            .collect();
        assert_eq!((up, signs.reasons()), (vec![1.0, 0.0], vec![]));
        signs.ended("front", true);
        assert_eq!(signs.reasons().len(), 1);
    }

    #[test]
    fn a_source_that_has_ended_is_no_reason_and_is_not_shown() {
        let signs = Signs::default();
        signs.opened("front");
        signs.ended("front", false);
        assert!(
            signs.reasons().is_empty()
                && signs.up(&site()).is_empty()
                && signs.ages(&site()).is_empty()
        );
    }

    #[test]
    fn a_chunk_that_waits_for_long_is_a_reason_as_long_as_it_waits() {
        let signs = Signs::default();
        signs.opened("front");
        for (wait, word) in [(Wait::Room, "--spool-limit"), (Wait::Disk, "disk")] {
            let reasons = signs.waiting("front", wait, || {
                let long_ago = Instant::now() - 2 * PATIENCE;
                signs.wait("front", Some((wait, long_ago)));
                signs.reasons()
            });
            assert!(
                reasons.len() == 1 && reasons[0].contains(word),
                "{reasons:?}"
            );
            assert!(signs.reasons().is_empty());
        }
    }
}
