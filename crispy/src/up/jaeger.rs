//! The Jaeger of a session: receives its traces, and has the page of one at its end.
//!
//! ```text
//!   --jaeger ─────────► the Jaeger on this machine; an error without one
//!   --jaeger=running ─► the Jaeger on this machine; no traces without one   (`make demo`)
//!   --otlp-endpoint ──► children export there; a trace is looked up at --jaeger-url
//! ```
//!
//! Traces never hold up the work: a Jaeger that fails later costs its traces only.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::anyhow;
use crispy_proto::id::Name;
use crispy_runtime::{Exit, Failed, Stop};
use jiff::Timestamp;
use tokio::time::sleep;
use tracing::warn;

use super::{
    config::{JaegerMode, Up},
    otel_env::{TraceExport, Variables},
    session::Session,
};
use crate::trace::{FoundTrace, find_failed, find_run, jaeger::Jaeger};

/// Timeout of a health check.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
/// Time that the last spans may take from their exporters, which have ended, to the storage.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(3);
/// Pause between two searches.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Usual port of OTLP over gRPC.
const OTLP_PORT: u16 = 4317;

/// A Jaeger that has the traces of this session.
#[derive(Debug)]
pub(super) struct SessionJaeger {
    jaeger: Jaeger,
    /// The address to which the stages shall export; `None` if the environment configures it.
    pub collector: Option<String>,
    began: Timestamp,
}

impl SessionJaeger {
    /// Looks for the Jaeger that the flags ask for; `None` if there are no traces to look up.
    ///
    /// # Errors
    /// [`Exit::JaegerMissing`] if one is required, and none runs on this machine.
    pub(super) async fn find(up: &Up) -> Result<Option<Self>, Failed> {
        let jaeger = Jaeger::new(&up.jaeger_url.jaeger_url)?;
        let endpoint = crispy_runtime::export::chosen_endpoint();
        let collector = match (up.jaeger, Variables::OURS.trace_export(endpoint)) {
            (mode, TraceExport::Disabled(variable)) => {
                if mode == Some(JaegerMode::Required) {
                    warn!(
                        variable,
                        hint = "unset the variable to use --jaeger",
                        "traces are disabled, ignoring --jaeger"
                    );
                }
                return Ok(None);
            }
            (None, TraceExport::Unset) => return Ok(None),
            // A configured collector takes precedence over a Jaeger that happens to run.
            (None | Some(JaegerMode::Running), TraceExport::Otlp) => None,
            (Some(mode), _) => match (local_collector(&jaeger).await, mode) {
                (Some(collector), _) => Some(collector),
                (None, JaegerMode::Running) => return Ok(None),
                (None, JaegerMode::Required) => return Err(missing(&jaeger)),
            },
        };
        Ok(Some(Self {
            jaeger,
            collector,
            began: Timestamp::now(),
        }))
    }

    /// The page of a trace of this session: of a chunk that was dead-lettered or disagrees, if
    /// there is one. Waits for a complete trace, and returns an incomplete one if none arrives.
    /// Call it when the stages have ended, which export their last spans then. A stop request ends
    /// the wait.
    pub(super) async fn page(&self, site: &Name, session: &Session, stop: &Stop) -> Option<String> {
        let (failed, run) = (session.failed_trace(), session.inspected_run());
        if failed.is_none() && run.is_none() {
            return None;
        }
        if !self.jaeger.is_reachable(PROBE_TIMEOUT).await {
            // With a collector of the operator's, --jaeger-url may simply be unused.
            if self.collector.is_some() {
                warn!(
                    jaeger = self.jaeger.redacted_url(),
                    hint = "start it again; traces of this session are gone",
                    "Jaeger no longer answers, no trace to show"
                );
            }
            return None;
        }
        let mut best: Option<FoundTrace> = None;
        let search = async {
            loop {
                let found = match (&failed, run) {
                    (Some(failed), _) => find_failed(&self.jaeger, failed).await,
                    (None, Some((camera, run))) => {
                        find_run(&self.jaeger, site, camera, run, self.began).await
                    }
                    (None, None) => None,
                };
                best = found.or(best.take());
                if best.as_ref().is_some_and(|best| best.is_complete) {
                    return;
                }
                sleep(POLL_INTERVAL).await;
            }
        };
        let deadline = async {
            if stop.is_requested() {
                sleep(PROBE_TIMEOUT).await;
            } else {
                tokio::select! { () = stop.requested() => {} () = sleep(SETTLE_TIMEOUT) => {} }
            }
        };
        tokio::select! { () = search => {} () = deadline => {} }
        if best.is_none() && !stop.is_requested() {
            warn!(
                jaeger = self.jaeger.redacted_url(),
                collector = self.collector,
                hint = "check that the collector belongs to this Jaeger (--jaeger-url), that exports arrive, and OTEL_TRACES_SAMPLER",
                "Jaeger has no trace of this session"
            );
        }
        best.map(|best| self.jaeger.page(&best.id))
    }
}

/// The address at which a Jaeger on this machine receives spans, if one runs.
async fn local_collector(jaeger: &Jaeger) -> Option<String> {
    if !jaeger.is_local() || !jaeger.is_reachable(PROBE_TIMEOUT).await {
        return None;
    }
    let collector = SocketAddr::from(([127, 0, 0, 1], OTLP_PORT));
    let is_open = TcpStream::connect_timeout(&collector, PROBE_TIMEOUT).is_ok();
    is_open.then(|| format!("http://{collector}"))
}

fn missing(jaeger: &Jaeger) -> Failed {
    let url = jaeger.redacted_url();
    let message = anyhow!(
        "no Jaeger on this machine at {url} and port {OTLP_PORT}: start one with `docker run --rm -p 16686:16686 -p 4317:4317 jaegertracing/jaeger`, or use --jaeger=running to go on without traces"
    );
    Failed::new(Exit::JaegerMissing, message)
}
