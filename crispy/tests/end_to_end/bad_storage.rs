//! Mistakes with buckets, spools and data folders. Tests may run as root, who may write everywhere:
//! so a file is where a folder should be.

use std::fs;

use rustix::process::Signal;

use crate::fixture::{
    Fixture,
    nats::MonitoredNats,
    processes::{all_children, runs},
    until, video,
};

#[test]
fn a_bucket_of_unknown_scheme() {
    let fixture = Fixture::new();
    fixture
        .up(&[("front", &video::irregular())])
        .replace_flag("--bucket", "ftp://host/folder")
        .run()
        .with_code(12)
        .with_message(&["ftp://host/folder", "file://"]);
    fixture.nothing_is_left_behind();
}

#[test]
fn a_bucket_that_cannot_be_written() {
    let fixture = Fixture::new();
    fs::write(fixture.path("bucket"), "a file").unwrap();
    fixture
        .up(&[("front", &video::irregular())])
        .run()
        .with_code(32)
        .with_message(&["bucket", &fixture.path("bucket").display().to_string()]);
    assert_eq!(fs::read(fixture.path("bucket")).unwrap(), b"a file");
    fs::remove_file(fixture.path("bucket")).unwrap();
    fixture.nothing_is_left_behind();
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let fixture = Fixture::new();
    fs::write(fixture.path("data"), "a file").unwrap();
    fixture
        .up(&[("front", &video::irregular())])
        .run()
        .with_code(30)
        .with_message(&[&fixture.path("data").display().to_string()]);
    assert_eq!(fs::read(fixture.path("data")).unwrap(), b"a file");
    fs::remove_file(fixture.path("data")).unwrap();
    fixture.nothing_is_left_behind();
}

#[test]
fn a_spool_that_cannot_be_written() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("data")).unwrap();
    fs::write(fixture.path("data/spool"), "a file").unwrap();
    let exited = fixture
        .up(&[("front", &video::irregular())])
        .run()
        .with_code(30);
    let place = fixture.path("data/spool").display().to_string();
    assert!(!exited.stderr_with(&place).is_empty(), "{exited}");
    fs::remove_file(fixture.path("data/spool")).unwrap();
    fixture.nothing_is_left_behind();
}

#[test]
fn a_second_ingestor_on_one_spool() {
    let (fixture, server) = (Fixture::new(), MonitoredNats::start());
    let ingestor = || {
        let ingestor = fixture.ingestor("front", &video::irregular());
        ingestor.server(&server)
    };
    fixture.set_up(&server);
    // Without an uploader it waits for confirmations, and keeps its spool.
    let first = ingestor().start();
    until("the first has chunks in the spool", || {
        !fixture.chunks_in(&fixture.path("spool")).is_empty()
    });
    let spool = fixture.path("spool").display().to_string();
    let pid = first.pid().to_string();
    let second = ingestor().run().with_code(31);
    second.with_message(&[&spool, &pid]);
    // The first is not disturbed, and keeps its chunks.
    assert!(runs(first.pid()));
    first.signal(Signal::TERM);
    first.end().with_code(0);
    assert!(!fixture.chunks_in(&fixture.path("spool")).is_empty());
}

#[test]
fn a_second_crispy_up_does_not_disturb_the_first() {
    let fixture = Fixture::new();
    let file = video::many(300);
    let up = || fixture.up(&[("front", &file)]).flag("--window", "1s");
    let mut first = up().start();
    first.until_stdout_lines(20);
    let children = all_children(&first);
    let exited = up().run().with_code(31);
    let place = fixture.path("data").display().to_string();
    assert!(!exited.stderr_with(&place).is_empty(), "{exited}");
    let exited = first.end().with_code(0);
    assert_eq!(exited.stderr_with("restarting child").len(), 0, "{exited}");
    assert_eq!(fixture.bucket().one_run().len(), 300);
    assert!(children.iter().all(|pid| !runs(*pid)));
}
