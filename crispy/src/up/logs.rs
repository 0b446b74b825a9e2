//! A child's log: every line passed on, the last error kept, for it is why the child ended.

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

/// How long the last lines of a child that has ended may take to arrive.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The log of one process, from its start to its end.
#[derive(Debug)]
pub(super) struct Logs {
    reader: JoinHandle<()>,
    last_error: Arc<Mutex<Option<String>>>,
}

impl Logs {
    /// Reads `lines` and hands each to `write`.
    pub(super) fn pass_on(lines: ChildStderr, write: impl Fn(&str) + Send + 'static) -> Self {
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
        // A grandchild may hold the pipe open: what has come by then is what there is.
        let _ = timeout(LAST_LINES, &mut self.reader).await;
        self.last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The message of a line that is an error, in either form that `crispy_runtime::logging` writes; or of clap's refusals.
fn error_in(line: &str) -> Option<String> {
    if let Some(refusal) = line.strip_prefix("error: ") {
        return Some(refusal.to_owned());
    }
    if line.starts_with('{') {
        let line: Value = serde_json::from_str(line).ok()?;
        // Google Cloud Logging has another word for it.
        let is_error = line["level"] == "ERROR" || line["severity"] == "ERROR";
        return line["message"]
            .as_str()
            .filter(|_| is_error)
            .map(str::to_owned);
    }
    let (_, message) = line.split_once(" ERROR ")?;
    // What follows are the fields of the line.
    let message = message.split(" exit=").next().unwrap_or(message);
    Some(message.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_known_in_every_form() {
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
    fn other_lines_are_no_errors() {
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
