//! Traces and metrics: made here, sent from here, and never in the way of the work.
//!
//! ```text
//!   tracing spans ─► layer ─► sampler ─► gate ─► queue (bounded) ─► thread ─► exporter ─► collector
//!                                                                                └ outage: one line
//!   instruments ───► meter ─► reader ──────────────────────────────────────────► collector, /metrics
//! ```
//!
//! * Nothing of it is there until a variable of OpenTelemetry's or `--otlp-endpoint` asks for it: no layer, no thread, no cost.
//! * What is wrong in the environment is an error that names the variable: `environment.rs`, `settings.rs`, `endpoint.rs`.
//! * Which traces are kept, and that failures always are: `sampling.rs`.
//! * A collector that is away costs its spans and one line in the log, which says what to do: `road.rs`, `advice.rs`, `send.rs`.
//! * At the end what waits is sent, for a second at most.

mod advice;
mod console;
mod endpoint;
mod environment;
mod exporter;
mod metrics;
mod process;
mod resource;
mod road;
mod sampling;
mod send;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use opentelemetry::{
    global,
    propagation::{TextMapCompositePropagator, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    propagation::{BaggagePropagator, TraceContextPropagator},
    trace::{BatchSpanProcessor, SdkTracer, SdkTracerProvider},
};

pub use environment::WrongVariable;
pub(crate) use metrics::Scrape;
pub(crate) use settings::Settings;

use crate::{about::About, telemetry_thread::TelemetryThread};
use console::Console;
use endpoint::TRACES;
use road::{Collectors, Road};
use send::{Gate, Heard};
use settings::Target;

/// How long the end of a program may wait for what has not been sent: it has to be over within two seconds of its work, and so has
/// `crispy up`, whose stages end one after the other.
const FLUSH: Duration = Duration::from_secs(1);

/// The same where a collector takes nothing as it is.
const LAST_TRY: Duration = Duration::from_millis(200);

/// The flags about telemetry, which every program has.
#[derive(Clone, Args)]
#[command(next_help_heading = "Telemetry")]
pub struct TelemetryArgs {
    /// Collector that traces and metrics go to, as http://host:4317 (gRPC) or http://host:4318 (HTTP); more by OTEL_* [default: none]
    #[arg(
        long,
        global = true,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub otlp_endpoint: Option<String>,
}

/// The collector that this process was told of, for a parent that starts children.
static CHOSEN: OnceLock<String> = OnceLock::new();

/// The collector that somebody named to this process, by the flag, the environment or the file; `None`: nobody did. It may hold a password.
pub fn chosen_endpoint() -> Option<&'static str> {
    CHOSEN.get().map(String::as_str)
}

impl TelemetryArgs {
    /// The collector that is named; an empty word names none. Remembered for [`chosen_endpoint`].
    pub(crate) fn endpoint(&self) -> Option<&str> {
        let named = self.otlp_endpoint.as_deref().map(str::trim);
        let named = named.filter(|url| !url.is_empty())?;
        // A process is told once.
        drop(CHOSEN.set(named.to_owned()));
        Some(named)
    }
}

/// What makes and sends telemetry, as long as it lives. Its end waits until what was made is sent, [`FLUSH`] at most.
#[derive(Default)]
pub(crate) struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    collectors: Collectors,
    /// What Prometheus may read.
    pub(crate) scrape: Option<Scrape>,
}

impl Settings {
    /// Whether any of it needs a runtime.
    pub(crate) fn any(&self) -> bool {
        !self.traces.is_empty() || !self.metrics.is_empty()
    }
}

impl Telemetry {
    /// Starts what is asked for. `scraped`: somebody may read `/metrics`.
    ///
    /// # Errors
    /// What the environment says cannot be done after all, such as certificates that are none.
    pub(crate) fn start(
        about: &About,
        settings: &Settings,
        scraped: bool,
        thread: &TelemetryThread,
    ) -> anyhow::Result<Self> {
        // Connections live where they are made.
        let _inside = thread.handle().enter();
        let resource = resource::of(about, settings);
        let mut collectors = Collectors::default();
        // Metrics first: what the traces count is counted from the beginning.
        let metrics = metrics::start(
            &settings.metrics,
            scraped && settings.scrape,
            &resource,
            &mut collectors,
            thread,
        )?;
        let (metrics, scrape) = metrics.unzip();
        let traces = match settings.traces.is_empty() {
            true => None,
            false => Some(trace(settings, resource, &mut collectors)?),
        };
        Ok(Self {
            traces,
            metrics,
            collectors,
            scrape: scrape.flatten(),
        })
    }

    /// What spans are made with, if they are.
    pub(crate) fn tracer(&self) -> Option<SdkTracer> {
        Some(self.traces.as_ref()?.tracer("crispy"))
    }
}

fn trace(
    settings: &Settings,
    resource: Resource,
    collectors: &mut Collectors,
) -> anyhow::Result<SdkTracerProvider> {
    let mut provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(settings.sampling.sampler());
    for target in &settings.traces {
        let address = match target {
            Target::Otlp(otlp) => &otlp.address,
            Target::Console => "stderr",
        };
        let road = collectors.road(TRACES, address, settings.queue);
        let next = match target {
            Target::Otlp(otlp) => batch(&road, exporter::spans(otlp, &road)?),
            Target::Console => batch(&road, Console::default()),
        };
        provider = provider.with_span_processor(Gate { road, next });
    }
    set_propagators(&settings.propagators);
    Ok(provider.build())
}

fn batch(
    road: &Arc<Road>,
    exporter: impl opentelemetry_sdk::trace::SpanExporter + 'static,
) -> BatchSpanProcessor {
    let road = Arc::clone(road);
    BatchSpanProcessor::builder(Heard { road, exporter }).build()
}

fn set_propagators(names: &[&str]) {
    let made = names.iter().map(|name| match *name {
        "baggage" => Box::new(BaggagePropagator::new()) as Box<dyn TextMapPropagator + Send + Sync>,
        _ => Box::new(TraceContextPropagator::new()),
    });
    global::set_text_map_propagator(TextMapCompositePropagator::new(made.collect()));
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let (traces, metrics) = (self.traces.take(), self.metrics.take());
        if traces.is_none() && metrics.is_none() {
            return;
        }
        // The SDK's own limits do not hold where a collector is silent; and its end may not be waited for inside a runtime.
        let (tell, done) = mpsc::channel();
        for end in [
            Box::new(move || drop(traces.map(|traces| traces.shutdown_with_timeout(FLUSH))))
                as Box<dyn FnOnce() + Send>,
            Box::new(move || drop(metrics.map(|metrics| metrics.shutdown()))),
        ] {
            let tell = tell.clone();
            thread::spawn(move || {
                end();
                // Nobody listens any more when it took too long.
                let _ = tell.send(());
            });
        }
        drop(tell);
        let patience = match self.collectors.are_well() {
            true => FLUSH,
            false => LAST_TRY,
        };
        let until = Instant::now() + patience;
        for _ in 0..2 {
            let left = until.saturating_duration_since(Instant::now());
            if done.recv_timeout(left).is_err() {
                break;
            }
        }
        self.collectors.end();
    }
}
