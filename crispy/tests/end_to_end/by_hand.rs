//! The daemons one by one, without `crispy up`: as on many hosts, here on one.

use std::{fs, thread, time::Duration};

use rustix::process::Signal;

use crate::house::{
    House,
    program::{Program, Running},
    server::{Monitored, uploaders_waiting},
    until, video,
};

const CHUNKS: u32 = 300;

#[test]
fn daemons_started_by_hand_do_the_work_and_both_uploaders_get_some() {
    let (house, server) = (House::new(), Monitored::start());
    at(&server, house.program("crispy").arguments(["setup"]))
        .run()
        .with_code(0);
    let start = |program: Program| at(&server, program).start();
    let uploader = || {
        let uploader = house.program("crispy-uploader");
        let uploader = uploader.flag("--spool", house.path("spool"));
        start(
            uploader
                .flag("--bucket", house.bucket().url())
                .arguments(["--concurrency", "1"]),
        )
    };
    let inspector = house.program("crispy-inspector");
    let inspector = start(inspector.flag("--bucket", house.bucket().url()));
    let uploaders = [uploader(), uploader()];
    until("both uploaders ask for work", || {
        uploaders_waiting(&server) >= 2
    });

    let source = format!("front={}", video::many(CHUNKS).display());
    let ingestor = house.program("crispy-ingestor");
    let ingestor = ingestor
        .arguments(["--window", "1s"])
        .flag("--camera", source)
        .flag("--spool", house.path("spool"));
    at(&server, ingestor).run().with_code(0);

    assert_eq!(house.bucket().one_run().len(), CHUNKS as usize);
    house.no_chunk_is_in_the_spool();
    until("every chunk is inspected", || {
        inspector.stderr_with("inspected").len() >= CHUNKS as usize
    });
    let shares = uploaders.map(|uploader| stopped(uploader, "uploaded chunk="));
    assert!(shares.iter().all(|share| *share > 0), "shares: {shares:?}");
    assert_eq!(shares.iter().sum::<usize>(), CHUNKS as usize);
    assert_eq!(stopped(inspector, "agrees=true"), CHUNKS as usize);
}

#[test]
fn a_killed_uploader_leaves_its_work_to_the_other() {
    let (house, server) = (House::new(), Monitored::start());
    at(&server, house.program("crispy").arguments(["setup"]))
        .run()
        .with_code(0);
    let uploader = || {
        let uploader = house.program("crispy-uploader");
        let uploader = uploader.flag("--spool", house.path("spool"));
        at(&server, uploader.flag("--bucket", house.bucket().url())).start()
    };
    let (mut first, _second) = (uploader(), uploader());
    let source = format!("front={}", video::many(CHUNKS).display());
    let ingestor = house.program("crispy-ingestor");
    let ingestor = ingestor
        .arguments(["--window", "1s"])
        .flag("--camera", source)
        .flag("--spool", house.path("spool"));
    let ingestor = at(&server, ingestor).start();
    first.until_stderr("uploaded chunk=");
    first.signal(Signal::KILL);
    ingestor.end().with_code(0);
    assert_eq!(house.bucket().one_run().len(), CHUNKS as usize);
    house.no_chunk_is_in_the_spool();
}

#[test]
fn while_nobody_uploads_the_spool_fills_to_its_limit_and_no_further() {
    const LIMIT: u64 = 1_000_000;
    const LARGEST: u64 = 20_000; // no chunk of this clip has as many bytes
    let (house, server) = (House::new(), Monitored::start());
    at(&server, house.program("crispy").arguments(["setup"]))
        .run()
        .with_code(0);
    let source = format!("front={}", video::many(CHUNKS).display());
    let ingestor = house.program("crispy-ingestor");
    let ingestor = ingestor
        .arguments(["--window", "1s", "--spool-limit", &format!("{LIMIT}B")])
        .flag("--camera", source)
        .flag("--spool", house.path("spool"));
    let ingestor = at(&server, ingestor).start();
    // What is being written is let in already, so that it counts.
    let held = || -> u64 {
        let files = house.chunks_in(&house.path("spool"));
        let chunks = files
            .iter()
            .filter(|file| file.to_string_lossy().contains(".mp4"));
        chunks
            .filter_map(|file| Some(fs::metadata(file).ok()?.len()))
            .sum()
    };
    until("the spool is full", || held() > LIMIT - LARGEST);
    // As long as it takes to commit many more, were there no limit.
    thread::sleep(Duration::from_millis(500));
    assert!(held() <= LIMIT, "{} bytes", held());

    let uploader = house.program("crispy-uploader");
    let uploader = uploader.flag("--spool", house.path("spool"));
    let _uploader = at(&server, uploader.flag("--bucket", house.bucket().url())).start();
    ingestor.end().with_code(0);
    assert_eq!(house.bucket().one_run().len(), CHUNKS as usize);
    house.no_chunk_is_in_the_spool();
}

#[test]
fn setup_shows_what_it_would_do_does_it_and_then_has_nothing_to_do() {
    let (house, server) = (House::new(), Monitored::start());
    let setup = || at(&server, house.program("crispy").arguments(["setup"]));
    let dry = setup().arguments(["--dry-run"]).run().with_code(0);
    assert!(
        !dry.stdout.is_empty() && dry.stdout.iter().all(|line| line.starts_with("would")),
        "{dry}"
    );
    assert_eq!(server.streams(), Vec::<String>::new());

    let first = setup().run().with_code(0);
    let made = server.streams();
    for stream in ["CHUNKS", "UPLOADED", "INSPECTED", "EVENTS", "DEAD"] {
        let stream = format!("CRISPY_{stream}");
        assert!(made.contains(&stream), "{stream} is not in {made:?}");
        assert!(
            first.stdout.iter().any(|line| line.contains(&stream)),
            "{first}"
        );
    }
    for again in [setup(), setup().arguments(["--dry-run"])] {
        let again = again.run().with_code(0);
        assert!(
            again.stdout.len() == 1 && again.stdout[0].contains("nothing to change"),
            "{again}"
        );
    }
    assert_eq!(server.streams(), made);
}

fn at(server: &Monitored, program: Program) -> Program {
    program
        .flag("--nats-server", server.url())
        .env("CRISPY_LOG_FORMAT", "text")
}

/// Stops a daemon as a service manager does, and counts lines of its log.
fn stopped(daemon: Running, words: &str) -> usize {
    daemon.signal(Signal::TERM);
    daemon.end().with_code(0).stderr_with(words).len()
}
