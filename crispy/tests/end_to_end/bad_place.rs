//! Buckets, spools and data folders that cannot be used. Tests may run as root, whom no permission stops: a file stands where a folder should.

use std::fs;

use rustix::process::Signal;

use crate::house::{
    House,
    processes::{all_children, runs},
    server::Monitored,
    video,
};

#[test]
fn a_bucket_of_unknown_scheme() {
    let house = House::new();
    house
        .up(&[])
        .flag("--camera", camera())
        .instead("--bucket", "ftp://host/folder")
        .run()
        .with_code(12)
        .saying(&["ftp://host/folder", "file://"]);
    house.nothing_is_half_done();
}

#[test]
fn a_bucket_that_cannot_be_written() {
    let house = House::new();
    fs::write(house.path("bucket"), "a file").unwrap();
    house
        .up(&[])
        .flag("--camera", camera())
        .run()
        .with_code(32)
        .saying(&["bucket", &house.path("bucket").display().to_string()]);
    assert_eq!(fs::read(house.path("bucket")).unwrap(), b"a file");
    fs::remove_file(house.path("bucket")).unwrap();
    house.nothing_is_half_done();
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let house = House::new();
    fs::write(house.path("data"), "a file").unwrap();
    house
        .up(&[])
        .flag("--camera", camera())
        .run()
        .with_code(30)
        .saying(&[&house.path("data").display().to_string()]);
    assert_eq!(fs::read(house.path("data")).unwrap(), b"a file");
    fs::remove_file(house.path("data")).unwrap();
    house.nothing_is_half_done();
}

#[test]
fn a_spool_that_cannot_be_written() {
    let house = House::new();
    fs::create_dir(house.path("data")).unwrap();
    fs::write(house.path("data/spool"), "a file").unwrap();
    let ended = house.up(&[]).flag("--camera", camera()).run().with_code(30);
    let place = house.path("data/spool").display().to_string();
    assert!(!ended.stderr_with(&place).is_empty(), "{ended}");
    fs::remove_file(house.path("data/spool")).unwrap();
    house.nothing_is_half_done();
}

#[test]
fn a_second_ingestor_on_one_spool() {
    let (house, server) = (House::new(), Monitored::start());
    let ingestor = || {
        let ingestor = house.program("crispy-ingestor");
        ingestor
            .flag("--camera", camera())
            .flag("--spool", house.path("spool"))
            .flag("--nats-server", server.url())
    };
    house
        .program("crispy")
        .arguments(["setup", "--nats-server", &server.url()])
        .run()
        .with_code(0);
    // Nobody uploads: it waits for answers, and keeps its spool.
    let first = ingestor().start();
    crate::house::until("the first has chunks in the spool", || {
        !house.chunks_in(&house.path("spool")).is_empty()
    });
    let place = house.path("spool").display().to_string();
    let pid = first.pid().to_string();
    ingestor().run().with_code(31).saying(&[&place, &pid]);
    // The first is not disturbed, and keeps what it has.
    assert!(runs(first.pid()));
    first.signal(Signal::TERM);
    first.end().with_code(0);
    assert!(!house.chunks_in(&house.path("spool")).is_empty());
}

#[test]
fn a_second_crispy_up_on_one_data_folder_does_not_disturb_the_first() {
    let house = House::new();
    let file = video::many(300);
    let up = || house.up(&[("front", &file)]).flag("--window", "1s");
    let mut first = up().start();
    first.until_stdout_lines(20);
    let children = all_children(&first);
    let ended = up().run().with_code(31);
    let place = house.path("data").display().to_string();
    assert!(!ended.stderr_with(&place).is_empty(), "{ended}");
    let ended = first.end().with_code(0);
    assert_eq!(ended.stderr_with("started again").len(), 0, "{ended}");
    assert_eq!(house.bucket().one_run().len(), 300);
    assert!(children.iter().all(|pid| !runs(*pid)));
}

fn camera() -> String {
    format!("front={}", video::irregular().display())
}
