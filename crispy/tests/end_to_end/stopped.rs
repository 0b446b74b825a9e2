//! Ctrl-C in the middle of a long file, and the same command again.

use std::{collections::BTreeSet, time::Duration};

use rustix::process::Signal;

use crate::house::{
    House,
    processes::{all_children, until_gone},
    program::Running,
    until, video,
};

/// 20 minutes of video: 400 chunks.
const SECONDS: u32 = 1200;

/// What was promised: half a minute is what service managers give, less five seconds.
const DRAINED: Duration = Duration::from_secs(25);

#[test]
fn ctrl_c_drains_and_the_same_command_completes_the_recording() {
    let (house, file) = (House::new(), video::many(SECONDS));
    let mut up = house.up(&[("front", &file)]).start();
    up.until_stdout_lines(20);
    let children = all_children(&up);
    up.signal(Signal::INT);
    let stopped = up.end().with_code(53);
    let stopped = stopped.saying(&["stopped before its end", "the same command again"]);
    assert!(stopped.took < DRAINED, "it took {:?}", stopped.took);
    until_gone(&children);
    let first = stopped.answers();
    assert_eq!(first.summary["ok"], false);
    let there: BTreeSet<String> = house.bucket().contents().into_keys().collect();
    assert!(first.objects().is_subset(&there), "{stopped}");
    assert!(there.len() < 400, "it was not in the middle: {stopped}");

    let again = house.up(&[("front", &file)]).run().with_code(0);
    assert_eq!(house.bucket().one_run().len(), 400, "{again}");
    assert_eq!(again.answers().chunks.len(), 400, "{again}");
    // What the first had put was found, not put once more.
    let already_there = again.answers().count("already_there");
    assert!(already_there >= first.objects().len() as u64, "{again}");

    let other = House::new();
    other.up(&[("front", &file)]).run().with_code(0);
    assert_eq!(house.bucket().contents(), other.bucket().contents());
}

#[test]
fn sigterm_is_heard_as_ctrl_c_is() {
    let house = House::new();
    let up = in_the_middle(&house);
    let children = all_children(&up);
    up.signal(Signal::TERM);
    assert!(up.end().with_code(53).took < DRAINED);
    until_gone(&children);
}

#[test]
fn a_second_ctrl_c_ends_it_at_once_and_leaves_no_child() {
    let house = House::new();
    let mut up = in_the_middle(&house);
    let children = all_children(&up);
    // Signals of one kind that come before the first is handled are one: so as often as it takes for two.
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

fn in_the_middle(house: &House) -> Running {
    let mut up = house.up(&[("front", &video::many(SECONDS))]).start();
    up.until_stdout_lines(5);
    up
}
