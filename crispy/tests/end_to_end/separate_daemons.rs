//! The daemons one by one, without `crispy up`: as on many hosts, here on one.

use std::{fs, thread, time::Duration};

use rustix::process::Signal;

use crate::fixture::{
    Fixture,
    nats::{MonitoredNats, uploaders_waiting},
    program::{Program, Running},
    until, video,
};

const CHUNKS: u32 = 300;

fn set_up() -> (Fixture, MonitoredNats) {
    let (fixture, server) = (Fixture::new(), MonitoredNats::start());
    fixture.set_up(&server);
    (fixture, server)
}

fn ingestor(fixture: &Fixture, server: &MonitoredNats) -> Program {
    let ingestor = fixture.ingestor("front", &video::many(CHUNKS));
    ingestor.server(server).arguments(["--window", "1s"])
}

fn every_chunk_is_uploaded(fixture: &Fixture) {
    assert_eq!(fixture.bucket().one_run().len(), CHUNKS as usize);
    fixture.spool_is_empty();
}

#[test]
fn two_uploaders_share_the_work() {
    let (fixture, server) = set_up();
    let uploader = || {
        let uploader = fixture.uploader().server(&server);
        uploader.arguments(["--concurrency", "1"]).start()
    };
    let inspector = fixture.inspector().server(&server).start();
    let uploaders = [uploader(), uploader()];
    until("both uploaders pull", || uploaders_waiting(&server) >= 2);
    ingestor(&fixture, &server).run().with_code(0);

    every_chunk_is_uploaded(&fixture);
    until("every chunk is inspected", || {
        inspector.stderr_with("inspected").len() >= CHUNKS as usize
    });
    let shares = uploaders.map(|uploader| stop_and_count(uploader, "uploaded chunk="));
    assert!(shares.iter().all(|share| *share > 0), "shares: {shares:?}");
    assert_eq!(shares.iter().sum::<usize>(), CHUNKS as usize);
    assert_eq!(stop_and_count(inspector, "agrees=true"), CHUNKS as usize);
}

#[test]
fn a_second_uploader_takes_over_from_a_killed_one() {
    let (fixture, server) = set_up();
    let uploader = || fixture.uploader().server(&server).start();
    let (mut first, _second) = (uploader(), uploader());
    let ingestor = ingestor(&fixture, &server).start();
    first.until_stderr("uploaded chunk=");
    first.signal(Signal::KILL);
    ingestor.end().with_code(0);
    every_chunk_is_uploaded(&fixture);
}

#[test]
fn without_uploaders_the_spool_fills_to_its_limit() {
    const LIMIT: u64 = 1_000_000;
    const LARGEST: u64 = 20_000; // No chunk of this clip has as many bytes.
    let (fixture, server) = set_up();
    let ingestor = ingestor(&fixture, &server);
    let ingestor = ingestor.flag("--spool-limit", format!("{LIMIT}B")).start();
    // Admitted chunks count while they are written.
    let used = || -> u64 {
        let files = fixture.chunks_in(&fixture.path("spool"));
        let chunks = files
            .iter()
            .filter(|file| file.to_string_lossy().contains(".mp4"));
        chunks
            .filter_map(|file| Some(fs::metadata(file).ok()?.len()))
            .sum()
    };
    until("the spool is full", || used() > LIMIT - LARGEST);
    // Enough time to commit many more chunks without the limit.
    thread::sleep(Duration::from_millis(500));
    assert!(used() <= LIMIT, "{} bytes", used());

    let _uploader = fixture.uploader().server(&server).start();
    ingestor.end().with_code(0);
    every_chunk_is_uploaded(&fixture);
}

#[test]
fn setup_is_shown_by_a_dry_run_made_and_repeatable() {
    let (fixture, server) = (Fixture::new(), MonitoredNats::start());
    let setup = || {
        let setup = fixture.program("crispy").arguments(["setup"]);
        setup.server(&server)
    };
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

/// Stops a daemon as a service manager does, and counts lines of its log.
fn stop_and_count(daemon: Running, words: &str) -> usize {
    daemon.signal(Signal::TERM);
    daemon.end().with_code(0).stderr_with(words).len()
}
