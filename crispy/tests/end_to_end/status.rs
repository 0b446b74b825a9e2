//! `crispy status`: findings, exit codes, and watching.

use rustix::process::Signal;
use serde_json::Value;

use crate::fixture::{Fixture, nats::MonitoredNats, program::Program, until, video};

fn status(fixture: &Fixture, server: &MonitoredNats) -> Program {
    let status = fixture.program("crispy").arguments(["status"]);
    status.server(server)
}

#[test]
fn findings_are_shown_and_decide_the_exit_code() {
    let (fixture, server) = (Fixture::new(), MonitoredNats::start());
    let status = || status(&fixture, &server);
    let bare = status().run().with_code(44);
    assert!(
        bare.to_string()
            .contains("! stream CRISPY_CHUNKS is missing"),
        "{bare}"
    );
    fixture.set_up(&server);
    let well = status().run().with_code(0);
    assert_eq!(well.stdout.last().unwrap(), "all is well");

    // Without an uploader.
    let ingestor = fixture.ingestor("front", &video::irregular());
    let mut ingestor = ingestor.server(&server).start();
    until("no worker pulls", || {
        status().run().status.code() == Some(54)
    });
    let lines = status()
        .arguments(["-o", "jsonl"])
        .run()
        .with_code(54)
        .stdout;
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of_type = |name: &str| lines.iter().filter(|line| line["type"] == name).count();
    assert_eq!(
        (of_type("concern"), of_type("summary"), of_type("consumer")),
        (1, 1, 2)
    );
    assert!(!ingestor.has_ended());
    ingestor.signal(Signal::TERM);
    ingestor.end().with_code(0);
}

#[test]
fn watching_ends_on_a_signal() {
    let (fixture, server) = (Fixture::new(), MonitoredNats::start());
    let watch = status(&fixture, &server).arguments(["--watch", "-o", "jsonl"]);
    let mut watch = watch.start();
    // More lines than one refresh has.
    watch.until_stdout_lines(30);
    watch.signal(Signal::INT);
    watch.end().with_code(0);
}
