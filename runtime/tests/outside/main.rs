//! Real processes, from outside: how they start, are stopped and end (`examples/doorbell.rs`), and what they tell of themselves, as traces
//! and metrics to a real receiver, lines on stderr, pages, and words to systemd (`examples/teller.rs`).

mod door;
mod lines;
mod metrics;
mod outage;
mod pages;
mod process;
mod program;
mod refusals;
mod sampling;
mod systemd;
mod traces;

use std::process::Command;

use crispy_testbed::OtlpReceiver;
use program::Rung;

/// A teller with these flags and variables, and no others.
fn teller(flags: &[&str], variables: &[(&str, &str)]) -> Rung {
    Rung::start_with("teller", flags, |command: &mut Command| {
        command.envs(variables.iter().copied());
    })
}

/// Tells everything to a collector and ends.
fn tell_all(receiver: &OtlpReceiver, flags: &[&str], variables: &[(&str, &str)]) {
    let url = receiver.url();
    let mut flags = flags.to_vec();
    flags.extend(["--ends", "--otlp-endpoint", &url]);
    let mut rung = teller(&flags, variables);
    rung.line_with("stopped");
    assert_eq!(rung.code(), Some(0));
}
