//! Prometheus' own judge of metrics.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::program::of_tools;

/// What `promtool check metrics` says of a page of metrics: nothing, if all is as Prometheus wants it.
///
/// # Panics
///
/// When it is not there, which `make setup` mends, or cannot read the page.
pub fn promtool_check_metrics(page: &str) -> String {
    let mut judge = Command::new(of_tools("bin/promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start promtool");
    let mut stdin = judge.stdin.take().expect("stdin is piped");
    stdin
        .write_all(page.as_bytes())
        .expect("hand the page over");
    drop(stdin);
    let said = judge.wait_with_output().expect("wait for promtool");
    let words = [said.stdout, said.stderr].concat();
    let words = String::from_utf8_lossy(&words).into_owned();
    // 3: there are complaints.
    match said.status.code() {
        Some(0 | 3) => words,
        _ => panic!("promtool ended by {}: {words}", said.status),
    }
}
