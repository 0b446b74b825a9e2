//! Where the traces of a session can be looked at: a Jaeger that runs on this machine, one that is started for it, or one that was named.
//!
//! ```text
//!   --jaeger ─────────► one that runs here, else a child of ours, which stays until Ctrl-C: its traces are in its memory
//!   --jaeger=running ─► one that runs here, else none         (what `make demo` asks for)
//!   --otlp-endpoint ──► children send there; if a Jaeger answers at --jaeger-url, a trace is looked up in it
//! ```
//!
//! * What the environment says of traces: [`told`]
//! * A Jaeger of our own: [`started`]
//!
//! Seeing is never in the way of the work: only a Jaeger that was asked for and is not there ends a session, before it begins.

mod started;
mod told;

use std::{
    convert::Infallible,
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::anyhow;
use crispy_proto::id::Name;
use crispy_runtime::{Exit, Failed, Stop};
use jiff::Timestamp;
use tokio::time::sleep;
use tracing::warn;

use self::{started::Started, told::Told};
use super::{
    child,
    config::{Up, WhichJaeger},
    session::Session,
    variables::Variables,
};
use crate::trace::{self, Shown, jaeger::Jaeger};

const NAME: &str = "jaeger";

/// How long a Jaeger of this machine may take to say that it is there.
const PROBE: Duration = Duration::from_millis(500);
/// How long the last spans may take from their senders, which have ended, to where they are found.
const SETTLE: Duration = Duration::from_secs(3);
/// Pause between two looks for them.
const PAUSE: Duration = Duration::from_millis(100);

/// Where OTLP is taken over gRPC, by custom.
const OTLP: u16 = 4317;

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
    seen: Seen,
    began: Timestamp,
}

/// Whose Jaeger it is.
#[derive(Debug)]
enum Seen {
    /// Somebody's, and where it takes spans, if we have to say so.
    Theirs(Jaeger, Option<String>),
    /// Our child.
    Ours(Box<Started>),
}

impl Plan {
    /// Looks for what was asked for; starts nothing.
    ///
    /// # Errors
    /// [`Exit::JaegerMissing`] if one is asked for, and none runs or could be started.
    pub(super) async fn make(up: &Up) -> Result<Self, Failed> {
        let jaeger = Jaeger::at(&up.jaeger_url.jaeger_url)?;
        let collector = crispy_runtime::export::chosen_endpoint();
        let told = told::of_traces(collector, &Variables::OURS);
        match (up.jaeger, told) {
            (asked, Told::Never(said)) => {
                if asked == Some(WhichJaeger::Start) {
                    warn!(
                        "there will be no traces, and no Jaeger for them: {said} forbids them; unset it for --jaeger"
                    );
                }
                Ok(Self::None)
            }
            // What somebody said goes over what may happen to run here.
            (None | Some(WhichJaeger::Running), Told::Where) => Ok(Self::Use(jaeger, None)),
            (None, Told::Nothing) => Ok(Self::None),
            (Some(which), _) => match (running(&jaeger).await, which) {
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
        let seen = match self {
            Self::None => return Ok(None),
            Self::Use(jaeger, collector) => Seen::Theirs(jaeger, collector),
            Self::Start(program) => {
                Seen::Ours(Box::new(Started::start(program, data_dir, stop).await?))
            }
        };
        Ok(Some(Viewer { seen, began }))
    }
}

impl Viewer {
    fn jaeger(&self) -> &Jaeger {
        match &self.seen {
            Seen::Theirs(jaeger, _) => jaeger,
            Seen::Ours(ours) => &ours.jaeger,
        }
    }

    /// Where the stages shall send their traces, unless they know already.
    pub(super) fn collector(&self) -> Option<String> {
        match &self.seen {
            Seen::Theirs(_, collector) => collector.clone(),
            Seen::Ours(ours) => Some(ours.collector.clone()),
        }
    }

    /// The page of a trace of this session, as soon as it is whole; of one that is not, where none becomes so. Of a chunk that was given up,
    /// or is not what it should be, if there is one. Ask when the stages have ended: their last spans are on their way then. Whoever asks to stop is not kept waiting.
    pub(super) async fn page(&self, site: &Name, session: &Session, stop: &Stop) -> Option<String> {
        let (failed, run) = (session.failed_trace(), session.inspected_run());
        if failed.is_none() && run.is_none() {
            return None;
        }
        let jaeger = self.jaeger();
        if !jaeger.answers(PROBE).await {
            self.say_it_is_away();
            return None;
        }
        let mut best: Option<Shown> = None;
        let looking = async {
            loop {
                let found = match (&failed, run) {
                    (Some(failed), _) => trace::of_failed(jaeger, failed).await,
                    (None, Some((camera, run))) => {
                        trace::of_run(jaeger, site, camera, run, self.began).await
                    }
                    (None, None) => None,
                };
                best = found.or(best.take());
                if best.as_ref().is_some_and(|best| best.is_whole) {
                    return;
                }
                sleep(PAUSE).await;
            }
        };
        let enough = async {
            if stop.is_requested() {
                sleep(PROBE).await;
            } else {
                tokio::select! { () = stop.requested() => {} () = sleep(SETTLE) => {} }
            }
        };
        tokio::select! { () = looking => {} () = enough => {} }
        if best.is_none() && !stop.is_requested() {
            self.say_there_is_no_trace();
        }
        best.map(|best| jaeger.page(&best.trace))
    }

    /// Of a Jaeger that was found, or started; that one is not at --jaeger-url at all is nothing to speak of.
    fn say_it_is_away(&self) {
        match &self.seen {
            Seen::Theirs(jaeger, Some(_)) => warn!(
                "the Jaeger at {} does not answer any more: there is no trace to show; start it again, and send the video again to have traces",
                jaeger.shown()
            ),
            Seen::Ours(ours) if !ours.has_ended() => warn!(
                "the jaeger of this session does not answer: there is no trace to show; see {}",
                ours.log().display()
            ),
            // That it has ended was said.
            Seen::Theirs(_, None) | Seen::Ours(_) => {}
        }
    }

    fn say_there_is_no_trace(&self) {
        let to = match self.collector() {
            Some(collector) => format!("whether {collector}, where they were sent, belongs to it"),
            None => "whether they were sent to it".to_owned(),
        };
        warn!(
            "the Jaeger at {} has no trace of this session: look {to} (--jaeger-url says which Jaeger is asked), whether a warning above says that traces do not arrive, \
             and whether OTEL_TRACES_SAMPLER keeps any",
            self.jaeger().shown()
        );
    }

    /// Whether it is kept until somebody says otherwise: if it is ours, and there is something to look at in it.
    pub(super) fn stays(&self, page: Option<&str>, stop: &Stop) -> bool {
        let ours = matches!(&self.seen, Seen::Ours(ours) if !ours.has_ended());
        ours && page.is_some() && !stop.is_requested()
    }

    /// Stops what was started here, when it need not stay any longer.
    pub(super) async fn close(self, page: Option<&str>, stop: &Stop) {
        let stays = self.stays(page, stop);
        let Seen::Ours(mut ours) = self.seen else {
            return;
        };
        if let Some(page) = page.filter(|_| stays) {
            let line = format!("Jaeger stays until Ctrl-C: {page}");
            // Where nobody reads it, somebody still knows how to stop a program.
            drop(writeln!(io::stderr(), "{line}"));
            tokio::select! {
                () = stop.requested() => {}
                _ = ours.end() => {}
            }
        }
        ours.stop().await;
    }
}

/// Says it once if a Jaeger of ours ends while the session goes on. Never returns; cancel safe.
pub(super) async fn watch(viewer: Option<&mut Viewer>) -> Infallible {
    if let Some(Seen::Ours(ours)) = viewer.map(|viewer| &mut viewer.seen)
        && let Ok(ended) = ours.end().await
    {
        let log = ours.log().display();
        warn!(
            "jaeger ended ({ended}), and its traces are gone; the work goes on without any: to have some, stop this and start it again; {log} may say why"
        );
    }
    std::future::pending().await
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

fn missing() -> Failed {
    let message = anyhow!(
        "no Jaeger runs on this machine, and there is no `jaeger` on PATH: get its binary from https://www.jaegertracing.io/download, or run `docker run --rm -p 16686:16686 -p 4317:4317 jaegertracing/jaeger`"
    );
    Failed::new(Exit::JaegerMissing, message)
}
