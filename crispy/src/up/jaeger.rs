//! Where the traces of a session can be looked at: a Jaeger that runs on this machine, one that is started for it, or one that was named.
//!
//! ```text
//!   --jaeger ─────────► one that runs here, else a child of ours, which stays until Ctrl-C: its traces are in its memory
//!   --jaeger=running ─► one that runs here, else none         (what `make demo` asks for)
//!   --otlp-endpoint ──► children send there; if a Jaeger answers at --jaeger-url, a trace is looked up in it
//! ```
//!
//! Seeing is never in the way of the work: only a Jaeger that was asked for and is not there ends a session, before it begins.

use std::{
    fs,
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use daemon::{Exit, Failed, Stop, WithExit};
use jiff::Timestamp;
use proto::id::Name;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::{
    child::{self, Child, Recipe},
    config::{Up, WhichJaeger},
    nats_server::free_port,
    session::Session,
};
use crate::trace::{self, jaeger::Jaeger};

const NAME: &str = "jaeger";

/// How long a Jaeger of this machine may take to say that it is there.
const PROBE: Duration = Duration::from_millis(500);
/// How long one that was started may take: its program is 100 MB, and read from disk the first time.
const START: Duration = Duration::from_secs(30);
/// How long the last spans may take from their senders, which have ended, to where they are found.
const SETTLE: Duration = Duration::from_secs(3);
/// How long it may take to stop. It keeps nothing.
const STOP: Duration = Duration::from_secs(3);

/// Where OTLP is taken over gRPC, by custom.
const OTLP: u16 = 4317;
/// The port of Jaeger's pages, by custom.
const PAGES: u16 = 16686;

/// What is to be done, once everything else is found right.
#[derive(Debug)]
pub(super) enum Plan {
    /// No traces, or nobody to look them up.
    None,
    /// One that runs, and where it takes spans; `None`: the children know already.
    Use(Jaeger, Option<String>),
    /// This program is to be started.
    Start(PathBuf),
}

/// A Jaeger that can be asked for the traces of this session.
#[derive(Debug)]
pub(super) struct Viewer {
    jaeger: Jaeger,
    collector: Option<String>,
    child: Option<Child>,
    began: Timestamp,
}

impl Plan {
    /// Looks for what was asked for; starts nothing.
    ///
    /// # Errors
    /// [`Exit::JaegerMissing`] if one is asked for, and none runs or could be started.
    pub(super) async fn make(up: &Up) -> Result<Self, Failed> {
        let jaeger = Jaeger::at(&up.jaeger_url.jaeger_url)?;
        match up.jaeger {
            None | Some(WhichJaeger::Running) if daemon::telemetry::chosen_endpoint().is_some() => {
                Ok(Self::Use(jaeger, None))
            }
            None => Ok(Self::None),
            Some(which) => match (running(&jaeger).await, which) {
                (Some(collector), _) => Ok(Self::Use(jaeger, Some(collector))),
                (None, WhichJaeger::Running) => Ok(Self::None),
                (None, WhichJaeger::Start) => child::find_on_path(NAME)
                    .map(Self::Start)
                    .ok_or_else(missing),
            },
        }
    }

    /// Does it. What it starts has its configuration and its log below `data_dir`.
    ///
    /// # Errors
    /// [`Exit::ChildDies`] if it does not come to answer.
    pub(super) async fn carry_out(
        self,
        data_dir: &Path,
        stop: &Stop,
    ) -> Result<Option<Viewer>, Failed> {
        let began = Timestamp::now();
        match self {
            Self::None => Ok(None),
            Self::Use(jaeger, collector) => Ok(Some(Viewer {
                jaeger,
                collector,
                child: None,
                began,
            })),
            Self::Start(program) => start(program, data_dir, stop).await.map(Some),
        }
    }
}

impl Viewer {
    /// Where the stages shall send their traces, unless they know already.
    pub(super) fn collector(&self) -> Option<&str> {
        self.collector.as_deref()
    }

    /// The page of a trace of this session, as soon as it is whole; of one that is not, where none becomes so. Ask when the stages have
    /// ended: their last spans are on their way then.
    pub(super) async fn page(&self, site: &Name, session: &Session) -> Option<String> {
        let (camera, run) = session.inspected_run()?;
        if !self.jaeger.answers(PROBE).await {
            return None;
        }
        let deadline = Instant::now() + SETTLE;
        let mut best = None;
        while Instant::now() < deadline {
            let asking = trace::of_run(&self.jaeger, site, camera, run, self.began);
            if let Ok(Some(found)) = timeout(SETTLE, asking).await {
                let is_whole = found.is_whole;
                best = Some(self.jaeger.page(&found.trace));
                if is_whole {
                    break;
                }
            }
            sleep(Duration::from_millis(100)).await;
        }
        best
    }

    /// Stops what was started here: when somebody says so, if there is something to look at in it.
    pub(super) async fn close(self, has_a_page: bool, stop: &Stop) {
        let Some(mut child) = self.child else {
            return;
        };
        if has_a_page && !stop.is_requested() {
            let line = format!("Jaeger runs at {} until Ctrl-C", self.jaeger.shown());
            // Where nobody reads it, somebody still knows how to stop a program.
            drop(writeln!(io::stderr(), "{line}"));
            tokio::select! {
                () = stop.requested() => {}
                _ = child.end() => return,
            }
        }
        child.ask_to_stop();
        if timeout(STOP, child.end()).await.is_err() {
            child.kill();
            // A killed process ends; if it cannot be waited for, nothing is left to do about it.
            drop(child.end().await);
        }
    }
}

/// Where the Jaeger of this machine takes spans, if there is one at that address.
async fn running(jaeger: &Jaeger) -> Option<String> {
    if !jaeger.is_here() || !jaeger.answers(PROBE).await {
        return None;
    }
    let collector = SocketAddr::from(([127, 0, 0, 1], OTLP));
    let open = TcpStream::connect_timeout(&collector, PROBE).is_ok();
    open.then(|| format!("http://{collector}"))
}

async fn start(program: PathBuf, data_dir: &Path, stop: &Stop) -> Result<Viewer, Failed> {
    let began = Timestamp::now();
    let pages = match TcpListener::bind(("127.0.0.1", PAGES)) {
        Ok(_) => PAGES,
        Err(_) => free_port(None)?,
    };
    let spans = free_port(None)?;
    let folder = data_dir.join(NAME);
    let (configuration, log) = (folder.join("jaeger.json"), folder.join("jaeger.log"));
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&configuration, config(pages, spans, &log)))
        .with_context(|| format!("write {}", configuration.display()))
        .exit(Exit::SpoolNotWritable)?;
    let mut child = Child::start(Recipe {
        name: NAME,
        program,
        arguments: vec!["--config".into(), configuration.into()],
        environment: Vec::new(),
        capture_logs: true,
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
        let message = anyhow!(
            "jaeger {why}: it has to be version 2; its log is {}",
            log.display()
        );
        return Err(Failed::new(Exit::ChildDies, message));
    }
    Ok(Viewer {
        jaeger,
        collector: Some(format!("http://127.0.0.1:{spans}")),
        child: Some(child),
        began,
    })
}

/// Its configuration (YAML, of which JSON is a part): everything on the loopback interface, kept in memory, and no port beside these.
fn config(pages: u16, spans: u16, log: &Path) -> String {
    let log = log.to_string_lossy();
    let at = |port: u16| format!("127.0.0.1:{port}");
    let config = json!({
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {
                "metrics": {"level": "none"},
                "logs": {"output_paths": [log], "error_output_paths": [log]},
            },
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

fn missing() -> Failed {
    let message = anyhow!(
        "no Jaeger runs on this machine, and there is no `jaeger` on PATH: get its binary from https://www.jaegertracing.io/download, or run `docker run --rm -p 16686:16686 -p 4317:4317 jaegertracing/jaeger`"
    );
    Failed::new(Exit::JaegerMissing, message)
}
