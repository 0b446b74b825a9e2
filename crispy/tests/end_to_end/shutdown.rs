//! Ctrl-C and SIGTERM in the middle of a long file.

use std::{collections::BTreeSet, time::Duration};

use rustix::process::Signal;

use crate::fixture::{
    Fixture,
    processes::{all_children, until_gone},
    program::Running,
    until, video,
};

/// 20 minutes of video: 400 chunks.
const SECONDS: u32 = 1200;

/// The documented limit: the half minute of service managers, less five seconds.
const DRAIN_LIMIT: Duration = Duration::from_secs(25);

#[test]
fn ctrl_c_drains_and_a_rerun_completes_the_recording() {
    let (fixture, file) = (Fixture::new(), video::many(SECONDS));
    let mut up = fixture.up(&[("front", &file)]).start();
    up.until_stdout_lines(20);
    let children = all_children(&up);
    up.signal(Signal::INT);
    let stopped = up.end().with_code(53);
    let stopped = stopped.with_message(&["stopped before its end", "the same command again"]);
    assert!(stopped.took < DRAIN_LIMIT, "it took {:?}", stopped.took);
    until_gone(&children);
    let first = stopped.output();
    assert_eq!(first.summary["ok"], false);
    let there: BTreeSet<String> = fixture.bucket().contents().into_keys().collect();
    assert!(first.objects().is_subset(&there), "{stopped}");
    assert!(there.len() < 400, "it was not in the middle: {stopped}");

    let again = fixture.up(&[("front", &file)]).run().with_code(0);
    assert_eq!(fixture.bucket().one_run().len(), 400, "{again}");
    assert_eq!(again.output().chunks.len(), 400, "{again}");
    // Objects of the first run are found, not stored again.
    let already_there = again.output().count("already_there");
    assert!(already_there >= first.objects().len() as u64, "{again}");

    let other = Fixture::new();
    other.up(&[("front", &file)]).run().with_code(0);
    assert_eq!(fixture.bucket().contents(), other.bucket().contents());
}

#[test]
fn sigterm_acts_as_ctrl_c() {
    let fixture = Fixture::new();
    let up = start_until_midway(&fixture);
    let children = all_children(&up);
    up.signal(Signal::TERM);
    assert!(up.end().with_code(53).took < DRAIN_LIMIT);
    until_gone(&children);
}

#[test]
fn a_second_ctrl_c_ends_everything_at_once() {
    let fixture = Fixture::new();
    let mut up = start_until_midway(&fixture);
    let children = all_children(&up);
    // Signals that arrive before the first is handled count as one: send until it ends.
    until("it ends", || {
        let ended = up.has_ended();
        if !ended {
            up.signal(Signal::INT);
        }
        ended
    });
    up.end().with_code(130);
    until_gone(&children);
}

fn start_until_midway(fixture: &Fixture) -> Running {
    let mut up = fixture.up(&[("front", &video::many(SECONDS))]).start();
    up.until_stdout_lines(5);
    up
}
