//! `kill -9` of everything that can be killed, in the middle of the work: nothing is lost, nothing is there twice, nobody is left.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use rustix::process::Signal;

use crate::house::{
    House,
    processes::{all_children, ask_to_stop, child, go_on, kill9, stop_dead, until_gone},
    program::{Ended, Program, Running, ours},
    until, video,
};

/// Long enough to be in the middle of it: the work takes seconds.
const CHUNKS: u32 = 300;

#[test]
fn a_killed_ingestor_loses_nothing() {
    killed_once("crispy-ingestor");
}

#[test]
fn a_killed_uploader_loses_nothing() {
    killed_once("crispy-uploader");
}

#[test]
fn a_killed_inspector_loses_nothing() {
    killed_once("crispy-inspecto");
}

#[test]
fn a_killed_nats_server_loses_nothing() {
    killed_once("nats-server");
}

#[test]
fn an_ingestor_that_somebody_else_stops_is_started_again() {
    let house = House::new();
    let up = in_the_middle(&house);
    ask_to_stop(child(&up, "crispy-ingestor"));
    everything_is_there_once(&house, &up.end());
}

#[test]
fn killing_every_child_at_once_loses_nothing() {
    let house = House::new();
    let up = in_the_middle(&house);
    for pid in all_children(&up) {
        kill9(pid);
    }
    everything_is_there_once(&house, &up.end());
}

/// The spool is the truth, the queue a hint. It takes a minute: so long an ingestor waits for an answer before it asks where its chunk is.
#[test]
fn a_wiped_queue_loses_nothing() {
    let house = House::new();
    let up = in_the_middle(&house);
    let (server, store) = (child(&up, "nats-server"), house.path("data/nats/jetstream"));
    // A server that runs would write into the folder while it is emptied.
    stop_dead(server);
    until("the queue's store is gone", || {
        fs::remove_dir_all(&store).is_ok()
    });
    kill9(server);
    let ended = up.end();
    if ended.status.success() {
        return everything_is_there_once(&house, &ended);
    }
    // A chunk that had been freed, and not inspected yet, is in the bucket, and nobody was told: that is said, and the next time mends it.
    let ended = ended
        .with_code(53)
        .saying(&["are not inspected", "the same command again"]);
    assert_eq!(house.bucket().one_run().len(), CHUNKS as usize, "{ended}");
    everything_is_there_once(&house, &start(&house).end());
}

#[test]
fn no_child_outlives_a_killed_crispy_and_the_same_command_completes_the_work() {
    let house = House::new();
    let up = in_the_middle(&house);
    let children = all_children(&up);
    up.signal(Signal::KILL);
    until_gone(&children);
    drop(up);
    everything_is_there_once(&house, &start(&house).end());
}

#[test]
fn what_an_ingestor_that_hangs_has_not_freed_is_not_waited_for_in_vain() {
    let house = House::new();
    let mut up = start(&house);
    let (ingestor, uploader) = (child(&up, "crispy-ingestor"), child(&up, "crispy-uploader"));
    up.until_stdout_lines(1);
    // With nobody to upload them, chunks gather: committed, and all but the latest published.
    stop_dead(uploader);
    until("chunks in the spool", || {
        house.chunks_in(&house.path("data/spool")).len() > 100
    });
    stop_dead(ingestor);
    // These are uploaded and inspected, and nobody is there to free them.
    go_on(uploader);
    let inspected = up.stdout().len();
    up.until_stdout_lines(inspected + 10);
    up.signal(Signal::INT);
    let stopped = up.end().with_code(53);
    assert!(stopped.took < Duration::from_secs(25), "{stopped}");
    let killed = stopped.stderr_with("did not stop");
    assert_eq!(killed.len(), 1, "{stopped}");
    everything_is_there_once(&house, &start(&house).end());
}

#[test]
fn a_server_that_will_not_start_ends_it_with_the_place_of_its_log() {
    let house = House::new();
    let server = script(&house.path("nats-server"), "exit 1");
    house
        .up(&[("front", &video::irregular())])
        .flag("--nats-server-bin", server)
        .run()
        .with_code(50)
        .saying(&["nats-server", "exit status: 1", "nats-server.log"]);
    house.nothing_is_half_done();
}

#[test]
fn a_stage_that_keeps_dying_ends_it() {
    let house = House::new();
    // Programs are looked for beside the one that runs: a copy, among others' real ones, and one that only dies.
    let crispy = house.path("crispy");
    fs::copy(ours("crispy"), &crispy).unwrap();
    for name in ["crispy-ingestor", "crispy-uploader"] {
        std::os::unix::fs::symlink(ours(name), house.path(name)).unwrap();
    }
    script(&house.path("crispy-inspector"), "kill -9 $$");
    let up = Program::at(&crispy, &house.path("."))
        .arguments(["up", "--data-dir", "data", "-o", "jsonl"])
        .flag(
            "--camera",
            format!("front={}", video::irregular().display()),
        )
        .run()
        .with_code(50)
        .saying(&["crispy-inspector", "died", "times", "signal: 9"]);
    assert_eq!(up.answers().summary["ok"], false);
    house.nobody_is_left();
}

fn killed_once(name: &str) {
    let house = House::new();
    let up = in_the_middle(&house);
    let victim = child(&up, name);
    kill9(victim);
    let ended = up.end();
    assert_eq!(ended.stderr_with("started again").len(), 1, "{ended}");
    everything_is_there_once(&house, &ended);
}

fn start(house: &House) -> Running {
    house
        .up(&[("front", &video::many(CHUNKS))])
        .flag("--window", "1s")
        .start()
}

fn in_the_middle(house: &House) -> Running {
    let mut up = start(house);
    up.until_stdout_lines(20);
    let done = up.stdout().len();
    assert!(done < CHUNKS as usize, "all {done} are done already");
    up
}

#[track_caller]
fn everything_is_there_once(house: &House, ended: &Ended) {
    assert_eq!(ended.status.code(), Some(0), "{ended}");
    let objects = house.bucket().one_run();
    assert_eq!(objects.len(), CHUNKS as usize, "{ended}");
    let answers = ended.answers();
    let keys: BTreeSet<String> = objects.into_iter().map(|object| object.key).collect();
    assert_eq!(answers.objects(), keys, "{ended}");
    assert_eq!(
        answers.chunks.len(),
        keys.len(),
        "one was told twice: {ended}"
    );
    assert!(
        answers.chunks.iter().all(|chunk| chunk["agrees"] == true),
        "{ended}"
    );
    house.no_chunk_is_in_the_spool();
    house.nobody_is_left();
}

fn script(path: &Path, line: &str) -> std::path::PathBuf {
    fs::write(path, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}
