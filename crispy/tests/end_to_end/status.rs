//! How the queue stands, as an operator asks.

use rustix::process::Signal;
use serde_json::Value;

use crate::house::{House, program::Program, server::Monitored, until, video};

fn crispy<const N: usize>(house: &House, server: &Monitored, arguments: [&str; N]) -> Program {
    let crispy = house.program("crispy").arguments(arguments);
    crispy.flag("--nats-server", server.url())
}

#[test]
fn status_says_what_needs_a_human_and_ends_with_its_code() {
    let (house, server) = (House::new(), Monitored::start());
    let status = || crispy(&house, &server, ["status"]);
    let bare = status().run().with_code(44);
    assert!(
        bare.to_string()
            .contains("! stream CRISPY_CHUNKS is missing"),
        "{bare}"
    );
    crispy(&house, &server, ["setup"]).run().with_code(0);
    let well = status().run().with_code(0);
    assert_eq!(well.stdout.last().unwrap(), "all is well");

    // Nobody uploads.
    let ingestor = house.program("crispy-ingestor");
    let mut ingestor = ingestor
        .flag(
            "--camera",
            format!("front={}", video::irregular().display()),
        )
        .flag("--spool", house.path("spool"))
        .flag("--nats-server", server.url())
        .start();
    until("somebody should look", || {
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
fn status_watches_until_it_is_stopped() {
    let (house, server) = (House::new(), Monitored::start());
    let mut watch = crispy(&house, &server, ["status", "--watch", "-o", "jsonl"]).start();
    // More than one look: a stream each, a consumer each, and so on.
    watch.until_stdout_lines(30);
    watch.signal(Signal::INT);
    watch.end().with_code(0);
}
