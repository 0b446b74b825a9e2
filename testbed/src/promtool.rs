//! Prometheus' own checker of metrics.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::program::tool;

/// The complaints of `promtool check metrics` about a page of metrics. Empty for a correct page.
///
/// # Panics
///
/// When `make setup` has not installed it, or it cannot read the page.
pub fn promtool_check_metrics(page: &str) -> String {
    let mut promtool = Command::new(tool("bin/promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start promtool");
    let mut stdin = promtool.stdin.take().expect("stdin is piped");
    stdin.write_all(page.as_bytes()).expect("write the page");
    drop(stdin);
    let output = promtool.wait_with_output().expect("wait for promtool");
    let complaints = [output.stdout, output.stderr].concat();
    let complaints = String::from_utf8_lossy(&complaints).into_owned();
    // 3 means that there are complaints.
    match output.status.code() {
        Some(0 | 3) => complaints,
        _ => panic!("promtool ended by {}: {complaints}", output.status),
    }
}
