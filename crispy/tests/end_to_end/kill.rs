//! SIGKILL of each process in the middle of the work: nothing is lost or doubled, and no process is
//! left.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use rustix::process::Signal;

use crate::fixture::{
    Fixture,
    processes::{all_children, child, kill9, resume, suspend, terminate, until_gone},
    program::{Exited, Program, Running, ours},
    until, video,
};

/// Enough to be in the middle of the work: it takes seconds.
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
fn an_ingestor_stopped_from_outside_is_restarted() {
    let fixture = Fixture::new();
    let up = start_until_midway(&fixture);
    terminate(child(&up, "crispy-ingestor"));
    every_chunk_is_stored_once(&fixture, &up.end());
}

#[test]
fn killing_every_child_at_once_loses_nothing() {
    let fixture = Fixture::new();
    let up = start_until_midway(&fixture);
    for pid in all_children(&up) {
        kill9(pid);
    }
    every_chunk_is_stored_once(&fixture, &up.end());
}

/// The spool is the truth, the queue a hint. It takes a minute: the time that an ingestor waits for
/// a confirmation before it looks for its chunk.
#[test]
fn a_wiped_queue_loses_nothing() {
    let fixture = Fixture::new();
    let up = start_until_midway(&fixture);
    let (server, store) = (
        child(&up, "nats-server"),
        fixture.path("data/nats/jetstream"),
    );
    // A running server would write into the folder while it is emptied.
    suspend(server);
    until("the queue's store is gone", || {
        fs::remove_dir_all(&store).is_ok()
    });
    kill9(server);
    let exited = up.end();
    if exited.status.success() {
        return every_chunk_is_stored_once(&fixture, &exited);
    }
    // A chunk that was freed but not inspected is in the bucket without an inspection. The session
    // reports that, and the next one completes it.
    let exited = exited
        .with_code(53)
        .with_message(&["are not inspected", "the same command again"]);
    assert_eq!(
        fixture.bucket().one_run().len(),
        CHUNKS as usize,
        "{exited}"
    );
    every_chunk_is_stored_once(&fixture, &start(&fixture).end());
}

#[test]
fn children_die_with_crispy_and_a_rerun_completes_the_work() {
    let fixture = Fixture::new();
    let up = start_until_midway(&fixture);
    let children = all_children(&up);
    up.signal(Signal::KILL);
    until_gone(&children);
    drop(up);
    every_chunk_is_stored_once(&fixture, &start(&fixture).end());
}

#[test]
fn a_hanging_ingestor_does_not_block_the_next_session() {
    let fixture = Fixture::new();
    let mut up = start(&fixture);
    let (ingestor, uploader) = (child(&up, "crispy-ingestor"), child(&up, "crispy-uploader"));
    up.until_stdout_lines(1);
    // Without an uploader chunks gather: committed, and all but the latest published.
    suspend(uploader);
    until("chunks in the spool", || {
        fixture.chunks_in(&fixture.path("data/spool")).len() > 100
    });
    suspend(ingestor);
    // These are uploaded and inspected, and no ingestor frees them.
    resume(uploader);
    let inspected = up.stdout().len();
    up.until_stdout_lines(inspected + 10);
    up.signal(Signal::INT);
    let stopped = up.end().with_code(53);
    assert!(stopped.took < Duration::from_secs(25), "{stopped}");
    let killed = stopped.stderr_with("did not stop");
    assert_eq!(killed.len(), 1, "{stopped}");
    every_chunk_is_stored_once(&fixture, &start(&fixture).end());
}

#[test]
fn a_server_that_cannot_start_is_an_error_with_its_log() {
    let fixture = Fixture::new();
    let server = script(&fixture.path("nats-server"), "exit 1");
    fixture
        .up(&[("front", &video::irregular())])
        .flag("--nats-server-bin", server)
        .run()
        .with_code(50)
        .with_message(&["nats-server", "exit status: 1", "nats-server.log"]);
    fixture.nothing_is_left_behind();
}

#[test]
fn a_stage_that_keeps_dying_ends_the_session() {
    let fixture = Fixture::new();
    // Programs are found beside `crispy`: its copy, links to real ones, and one that only dies.
    let crispy = fixture.path("crispy");
    fs::copy(ours("crispy"), &crispy).unwrap();
    for name in ["crispy-ingestor", "crispy-uploader"] {
        std::os::unix::fs::symlink(ours(name), fixture.path(name)).unwrap();
    }
    script(&fixture.path("crispy-inspector"), "kill -9 $$");
    let up = Program::at(&crispy, &fixture.path("."))
        .arguments(["up", "--data-dir", "data", "-o", "jsonl"])
        .flag(
            "--camera",
            format!("front={}", video::irregular().display()),
        )
        .run()
        .with_code(50)
        .with_message(&["crispy-inspector", "died", "times", "signal: 9"]);
    assert_eq!(up.output().summary["ok"], false);
    fixture.no_process_is_left();
}

fn killed_once(name: &str) {
    let fixture = Fixture::new();
    let up = start_until_midway(&fixture);
    let victim = child(&up, name);
    kill9(victim);
    let exited = up.end();
    assert_eq!(exited.stderr_with("restarting child").len(), 1, "{exited}");
    every_chunk_is_stored_once(&fixture, &exited);
}

fn start(fixture: &Fixture) -> Running {
    fixture
        .up(&[("front", &video::many(CHUNKS))])
        .flag("--window", "1s")
        .start()
}

fn start_until_midway(fixture: &Fixture) -> Running {
    let mut up = start(fixture);
    up.until_stdout_lines(20);
    let done = up.stdout().len();
    assert!(done < CHUNKS as usize, "all {done} are done already");
    up
}

#[track_caller]
fn every_chunk_is_stored_once(fixture: &Fixture, exited: &Exited) {
    assert_eq!(exited.status.code(), Some(0), "{exited}");
    let objects = fixture.bucket().one_run();
    assert_eq!(objects.len(), CHUNKS as usize, "{exited}");
    let output = exited.output();
    let keys: BTreeSet<String> = objects.into_iter().map(|object| object.key).collect();
    assert_eq!(output.objects(), keys, "{exited}");
    assert_eq!(
        output.chunks.len(),
        keys.len(),
        "one is printed twice: {exited}"
    );
    assert!(
        output.chunks.iter().all(|chunk| chunk["agrees"] == true),
        "{exited}"
    );
    fixture.spool_is_empty();
    fixture.no_process_is_left();
}

fn script(path: &Path, line: &str) -> std::path::PathBuf {
    fs::write(path, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_owned()
}
