//! Real processes: start, stop and end (`examples/minimal.rs`); traces and metrics at a real
//! receiver, log lines, admin pages, and notifications to systemd (`examples/reporter.rs`).

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

/// Starts a reporter with these flags and variables, and no others.
fn reporter(flags: &[&str], variables: &[(&str, &str)]) -> Program {
    Program::start_with("reporter", flags, |command: &mut Command| {
        command.envs(variables.iter().copied());
    })
}

/// Runs a reporter that exports to a collector and ends.
fn run_exporting(receiver: &OtlpReceiver, flags: &[&str], variables: &[(&str, &str)]) {
    let url = receiver.url();
    let mut flags = flags.to_vec();
    flags.extend(["--ends", "--otlp-endpoint", &url]);
    let mut program = reporter(&flags, variables);
    program.line_with("stopped");
    assert_eq!(program.code(), Some(0));
}
