//! Real processes, from outside: how they start, are stopped and end (`examples/minimal.rs`), and what they tell of themselves, as traces
//! and metrics to a real receiver, lines on stderr, pages, and words to systemd (`examples/reporter.rs`).

mod configuration;
mod lifecycle;
mod log_lines;
mod metrics;
mod outage;
mod pages;
mod process_metrics;
mod program;
mod sampling;
mod systemd;
mod traces;

use std::process::Command;

use crispy_testbed::OtlpReceiver;
use program::Program;

/// A reporter with these flags and variables, and no others.
fn reporter(flags: &[&str], variables: &[(&str, &str)]) -> Program {
    Program::start_with("reporter", flags, |command: &mut Command| {
        command.envs(variables.iter().copied());
    })
}

/// Tells everything to a collector and ends.
fn tell_all(receiver: &OtlpReceiver, flags: &[&str], variables: &[(&str, &str)]) {
    let url = receiver.url();
    let mut flags = flags.to_vec();
    flags.extend(["--ends", "--otlp-endpoint", &url]);
    let mut program = reporter(&flags, variables);
    program.line_with("stopped");
    assert_eq!(program.code(), Some(0));
}
