//! Forwards a child's log, and keeps its last error: the reason of its end.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::ChildStderr,
    task::JoinHandle,
    time::timeout,
};

/// Time that the last lines of an ended child may take to arrive.
const LAST_LINES_TIMEOUT: Duration = Duration::from_millis(500);

/// The log of one process, from its start to its end.
#[derive(Debug)]
pub(super) struct ChildLog {
    reader: JoinHandle<()>,
    last_error: Arc<Mutex<Option<String>>>,
}

impl ChildLog {
    /// Passes each of `lines` to `write`.
    pub(super) fn forward(lines: ChildStderr, write: impl Fn(&str) + Send + 'static) -> Self {
        let last_error = Arc::<Mutex<Option<String>>>::default();
        let keep = Arc::clone(&last_error);
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(lines).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(error) = error_in(&line) {
                    *keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
                write(&line);
            }
        });
        Self { reader, last_error }
    }

    /// The last error of a process that has ended.
    pub(super) async fn last_error(&mut self) -> Option<String> {
        // A grandchild may hold the pipe open: do not wait for its end.
        let _ = timeout(LAST_LINES_TIMEOUT, &mut self.reader).await;
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The message of an error line, in any format of `crispy_runtime::logging`, or of clap.
fn error_in(line: &str) -> Option<String> {
    if let Some(message) = line.strip_prefix("error: ") {
        return Some(message.to_owned());
    }
    if line.starts_with('{') {
        let line: Value = serde_json::from_str(line).ok()?;
        // Google Cloud Logging's name of the field.
        let is_error = line["level"] == "ERROR" || line["severity"] == "ERROR";
        return line["message"]
            .as_str()
            .filter(|_| is_error)
            .map(str::to_owned);
    }
    let (_, message) = line.split_once(" ERROR ")?;
    // The line's fields follow.
    let message = message.split(" exit=").next().unwrap_or(message);
    Some(message.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_recognised_in_every_format() {
        let text =
            "2026-11-22T20:34:02.895115Z ERROR open camera a/b: x is empty exit=21 program=\"p\"";
        let json = r#"{"timestamp":"t","level":"ERROR","message":"open camera a/b: x is empty","exit":21}"#;
        let gcp = r#"{"severity":"ERROR","timestamp":{"seconds":1,"nanos":2},"message":"open camera a/b: x is empty","exit":21}"#;
        for line in [text, json, gcp, "error: open camera a/b: x is empty"] {
            assert_eq!(
                error_in(line).as_deref(),
                Some("open camera a/b: x is empty"),
                "{line}"
            );
        }
    }

    #[test]
    fn other_lines_are_not_errors() {
        for line in [
            "",
            "t  INFO uploaded",
            r#"{"level":"INFO","message":"m"}"#,
            "{not json",
        ] {
            assert_eq!(error_in(line), None, "{line}");
        }
    }
}
