//! The children of one `crispy up`, in the order in which they are started; they are stopped in the opposite one.

use std::{
    ffi::OsString,
    path::Path,
    time::Duration,
};

use daemon::Failed;
use futures_util::future::{join_all, select_all};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};
use tracing::warn;

use super::{
    child::{Child, Ended, Recipe},
    config::Up,
    preflight::Preflight,
    show::Show,
};

/// How long the stages may take to finish what is in flight. With the server's own stop it stays below 25 s.
const STAGES_STOP: Duration = Duration::from_secs(20);
const SERVER_STOP: Duration = Duration::from_secs(3);

/// All children that were started.
#[derive(Debug, Default)]
pub(super) struct Household {
    server: Option<Child>,
    stages: Vec<Child>,
}

/// A child ended that nobody had asked to.
#[derive(Debug)]
pub(super) struct Death {
    /// Which: an index into the household.
    place: usize,
    /// How.
    pub ended: Ended,
}

impl Household {
    /// Starts the server.
    pub(super) fn start_server(&mut self, recipe: Recipe) -> Result<(), Failed> {
        self.server = Some(Child::start(recipe)?);
        Ok(())
    }

    /// Starts a stage.
    pub(super) fn start(&mut self, recipe: Recipe, show: &Show) -> Result<(), Failed> {
        let mut child = Child::start(recipe)?;
        pass_on_logs(&mut child, show);
        self.stages.push(child);
        Ok(())
    }

    /// Waits for a child that ends. Cancel safe.
    pub(super) async fn death(&mut self) -> std::io::Result<Death> {
        let ends: Vec<_> = self.children_mut().map(|child| Box::pin(child.end())).collect();
        if ends.is_empty() {
            return std::future::pending().await;
        }
        let (ended, place, _) = select_all(ends).await;
        Ok(Death { place, ended: ended? })
    }

    /// Whose death it is.
    pub(super) fn name(&self, death: &Death) -> &'static str {
        self.children().nth(death.place).map_or("a child", Child::name)
    }

    /// Starts a child that died again.
    pub(super) fn restart(&mut self, death: &Death, show: &Show) -> Result<(), Failed> {
        let Some(child) = self.children_mut().nth(death.place) else { return Ok(()) };
        warn!(child = child.name(), "{}: started again", death.ended);
        child.restart(death.ended)?;
        pass_on_logs(child, show);
        Ok(())
    }

    /// Stops all: the stages first, so that they can still tell the server what they have done.
    pub(super) async fn stop(&mut self) {
        stop(self.stages.iter_mut(), STAGES_STOP).await;
        stop(self.server.iter_mut(), SERVER_STOP).await;
    }

    /// CPU time of each child.
    pub(super) fn cpu(&self) -> Vec<(String, Duration)> {
        self.children().map(|child| (child.name().to_owned(), child.cpu())).collect()
    }

    fn children(&self) -> impl Iterator<Item = &Child> {
        self.server.iter().chain(&self.stages)
    }

    fn children_mut(&mut self) -> impl Iterator<Item = &mut Child> {
        self.server.iter_mut().chain(&mut self.stages)
    }
}

async fn stop(children: impl Iterator<Item = &mut Child>, patience: Duration) {
    let stopping = children.filter(|child| !child.has_ended()).map(|child| async move {
        child.ask_to_stop();
        if timeout(patience, child.end()).await.is_err() {
            warn!(child = child.name(), "did not stop within {patience:?}: killed");
            child.kill();
            // A killed process ends; if it cannot be waited for, nothing is left to do about it.
            let _ = child.end().await;
        }
    });
    join_all(stopping).await;
}

/// While the terminal is ours, a child's lines go through us, above the bars.
fn pass_on_logs(child: &mut Child, show: &Show) {
    let Some(logs) = child.take_logs() else { return };
    let (name, write) = (child.name(), show.lines());
    tokio::spawn(async move {
        let mut lines = BufReader::new(logs).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            write(&format!("{name}: {line}"));
        }
    });
}

/// How to start the three stages: what is secret, or may be, travels in the environment, which others cannot list.
pub(super) fn recipes(up: &Up, flight: &Preflight, nats_url: &str, show: &Show) -> [Recipe; 3] {
    let spool = flight.data_dir.join("spool");
    let log_level = if show.owns_the_terminal() { "warn" } else { "info,async_nats=warn" };
    let common = |name: &'static str, program: &Path, own: Vec<(&'static str, OsString)>| {
        let mut environment: Vec<(&'static str, OsString)> = inherited(up);
        environment.push(("NATS_URL", nats_url.into()));
        environment.push(("CRISPY_LOG_LEVEL", std::env::var_os("CRISPY_LOG_LEVEL").unwrap_or_else(|| log_level.into())));
        environment.push(("CRISPY_LOG_FORMAT", "text".into()));
        environment.extend(own);
        Recipe { name, program: program.to_owned(), arguments: Vec::new(), environment, capture_logs: show.owns_the_terminal() }
    };
    let [ingestor, uploader, inspector] = &flight.programs;
    let window = OsString::from(format!("{}us", up.window.as_micros()));
    let cameras = OsString::from(up.camera.join("\n"));
    [
        common(
            "crispy-ingestor",
            ingestor,
            vec![
                ("CRISPY_CAMERA", cameras),
                ("CRISPY_SITE", flight.site.as_str().into()),
                ("CRISPY_SPOOL", spool.clone().into()),
                ("CRISPY_WINDOW", window),
            ],
        ),
        common("crispy-uploader", uploader, vec![("CRISPY_SPOOL", spool.into()), ("CRISPY_BUCKET", flight.bucket.clone().into())]),
        common("crispy-inspector", inspector, vec![("CRISPY_BUCKET", flight.bucket.clone().into())]),
    ]
}

/// Credentials for a server that the operator named; our own server needs none, and hears of none.
fn inherited(up: &Up) -> Vec<(&'static str, OsString)> {
    const CREDENTIALS: [&str; 9] = [
        "NATS_USER", "NATS_PASSWORD", "NATS_TOKEN", "NATS_CREDS", "NATS_NKEY", "NATS_CERT", "NATS_KEY", "NATS_CA", "NATS_TLS_FIRST",
    ];
    let named = up.nats_server.is_some();
    let set = CREDENTIALS.into_iter().filter(|_| named).filter_map(|name| Some((name, std::env::var_os(name)?)));
    set.collect()
}
