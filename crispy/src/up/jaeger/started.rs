//! A Jaeger of our own: a child, everything of which is on this machine and in its memory.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, anyhow};
use crispy_runtime::{Exit, Failed, Stop, WithExit};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{NAME, OTLP, PROBE};
use crate::{
    trace::jaeger::Jaeger,
    up::{
        child::{Child, Ended, Recipe, Stderr},
        nats_server::free_port,
    },
};

/// How long it may take to answer: its program is 100 MB, and read from disk the first time.
const START: Duration = Duration::from_secs(30);
/// How long it may take to stop. It keeps nothing.
const STOP: Duration = Duration::from_secs(3);

/// The port of Jaeger's pages, by custom.
const PAGES: u16 = 16686;

/// Characters of a log's line that fit into an error.
const LINE: usize = 300;

/// A Jaeger that runs because we started it.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) jaeger: Jaeger,
    /// Where it takes spans.
    pub(super) collector: String,
    child: Child,
    log: PathBuf,
}

impl Started {
    /// Starts it, and waits until it answers. Configuration and log are below `data_dir`.
    ///
    /// # Errors
    /// [`Exit::ChildDies`] if it does not come to answer.
    pub(super) async fn start(
        program: PathBuf,
        data_dir: &Path,
        stop: &Stop,
    ) -> Result<Self, Failed> {
        // Where everybody looks for a Jaeger, the next session too; elsewhere only if somebody else is there.
        let (pages, spans) = (custom_or_free(PAGES)?, custom_or_free(OTLP)?);
        let folder = data_dir.join(NAME);
        let (configuration, log) = (folder.join("jaeger.json"), folder.join("jaeger.log"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&configuration, config(pages, spans)))
            .with_context(|| format!("write {}", configuration.display()))
            .exit(Exit::SpoolNotWritable)?;
        let mut child = Child::start(Recipe {
            name: NAME,
            program,
            arguments: vec!["--config".into(), configuration.into()],
            environment: Vec::new(),
            stderr: Stderr::File(log.clone()),
        })?;
        let jaeger = Jaeger::at(&format!("http://127.0.0.1:{pages}"))?;
        let answering = async {
            while !jaeger.answers(PROBE).await {
                sleep(Duration::from_millis(50)).await;
            }
        };
        let why = tokio::select! {
            () = answering => None,
            // Whoever stops the session now has it stopped, and waits for nothing.
            () = stop.requested() => None,
            ended = child.end() => Some(format!("ended while it started ({})", ended?)),
            () = sleep(START) => Some(format!("did not answer within {START:?}")),
        };
        if let Some(why) = why {
            let (shown, last) = (log.display(), last_line(&log));
            let message = anyhow!("jaeger {why}: it has to be version 2; its log is {shown}{last}");
            return Err(Failed::new(Exit::ChildDies, message));
        }
        Ok(Self {
            jaeger,
            collector: format!("http://127.0.0.1:{spans}"),
            child,
            log,
        })
    }

    /// Its log.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// Whether it is gone, and that was said.
    pub(super) fn has_ended(&self) -> bool {
        self.child.has_ended()
    }

    /// Waits for its end, as [`Child::end`].
    pub(super) async fn end(&mut self) -> std::io::Result<Ended> {
        self.child.end().await
    }

    /// Stops it.
    pub(super) async fn stop(mut self) {
        self.child.ask_to_stop();
        if !self.has_ended() && timeout(STOP, self.child.end()).await.is_err() {
            self.child.kill();
            // A killed process ends; if it cannot be waited for, nothing is left to do about it.
            drop(self.child.end().await);
        }
    }
}

fn custom_or_free(custom: u16) -> Result<u16, Failed> {
    match TcpListener::bind(("127.0.0.1", custom)) {
        Ok(_) => Ok(custom),
        Err(_) => free_port(None),
    }
}

/// `: ` and the last line of a log, if it has one: why its writer ended.
fn last_line(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty());
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    let last = last.map(|line| line.chars().take(LINE).map(shown).collect::<String>());
    last.map_or_else(String::new, |line| format!(": {line}"))
}

/// Its configuration (YAML, of which JSON is a part): everything on the loopback interface, kept in memory, and no port beside these.
fn config(pages: u16, spans: u16) -> String {
    let at = |port: u16| format!("127.0.0.1:{port}");
    let config = json!({
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": 100_000}}}},
            "jaeger_query": {
                "storage": {"traces": "memory"},
                "http": {"endpoint": at(pages)},
                "grpc": {"endpoint": at(0)},
            },
        },
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": at(spans)}}}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
    });
    config.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customary_port_is_taken_if_it_is_free_and_another_one_if_not() {
        let held = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = held.local_addr().unwrap().port();
        assert_ne!(custom_or_free(port).unwrap(), port);
        drop(held);
        assert_eq!(custom_or_free(port).unwrap(), port);
    }
}
