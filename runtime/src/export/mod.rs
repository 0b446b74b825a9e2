//! Traces and metrics: made and exported here, and never in the way of the work.
//!
//! ```text
//!   tracing spans ─► layer ─► sampler ─► filter ─► queue, bounded ─► exporter ─► collector
//!                                                                        └ outage: one line
//!   instruments ───► meter ─► reader ──────────────────────────────► collector, /metrics
//! ```
//!
//! * Nothing of it exists until a variable of OpenTelemetry's or `--otlp-endpoint` asks for it: no
//!   layer, no thread, no cost.
//! * Wrong variables are ignored with a warning: `environment.rs`, `settings.rs`, `collector.rs`.
//! * Failures are always kept, whatever traces are sampled: `sampling.rs`, `processor.rs`.
//! * An unavailable collector costs its spans and one log line: `queue.rs`.
//! * At the end waiting spans are sent, for a second at most.

mod collector;
mod environment;
mod exporter;
mod metrics;
mod process;
mod processor;
mod queue;
mod resource;
mod sampling;
mod settings;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use hyper::Uri;
use opentelemetry::{
    global,
    propagation::{TextMapCompositePropagator, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    propagation::{BaggagePropagator, TraceContextPropagator},
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider},
};

pub(crate) use environment::Ignored;
use environment::Signal;
pub(crate) use metrics::Scrape;
pub(crate) use settings::Settings;
pub use settings::prometheus_address;

use crate::{about::About, telemetry_thread::TelemetryThread};
use processor::{ReportingExporter, SpanFilter};
use queue::{ExportQueue, Reporter};

/// The longest wait for unsent telemetry at the end of a program. The process has to end within two
/// seconds of its work, and so has `crispy up`, whose daemons end one after the other.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The same where the collector already fails or is silent.
const UNHEALTHY_FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

/// The flags about telemetry, which every program has.
#[derive(Clone, Args)]
#[command(next_help_heading = "Telemetry")]
pub struct TelemetryArgs {
    /// Collector that traces and metrics go to, as http://host:4317 (gRPC) or http://host:4318
    /// (HTTP); more by OTEL_* [default: none]
    #[arg(
        long,
        global = true,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub otlp_endpoint: Option<String>,
}

/// The collector of this process, for a parent that starts children.
static CHOSEN: OnceLock<String> = OnceLock::new();

/// The collector that flag, environment or file named; `None` without one. It may hold a password.
pub fn chosen_endpoint() -> Option<&'static str> {
    CHOSEN.get().map(String::as_str)
}

impl TelemetryArgs {
    /// The named collector; an empty word names none. Remembered for [`chosen_endpoint`].
    pub(crate) fn endpoint(&self) -> Option<&str> {
        let named = self.otlp_endpoint.as_deref().map(str::trim);
        let named = named.filter(|url| !url.is_empty())?;
        // A process reads its flags once.
        drop(CHOSEN.set(named.to_owned()));
        Some(named)
    }
}

/// The providers of traces and metrics. Their end sends waiting telemetry, within
/// [`FLUSH_TIMEOUT`].
#[derive(Default)]
pub(crate) struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
    queues: Vec<Arc<ExportQueue>>,
    /// The page that Prometheus reads.
    pub(crate) scrape: Option<Scrape>,
}

impl Telemetry {
    /// Starts the signals of `settings`. `scraped`: there are admin pages.
    ///
    /// # Errors
    /// The SDK's or the client's, which no setting is known to cause.
    pub(crate) fn start(
        about: &About,
        settings: &Settings,
        scraped: bool,
        thread: &TelemetryThread,
    ) -> anyhow::Result<Self> {
        // Connections belong to the runtime in which they are made.
        let _inside = thread.handle().enter();
        let resource = resource::new(about, settings);
        let (traces_queue, metrics_queue) = queues(settings);
        // Metrics first, so that the first lost span is counted.
        let scraped = scraped && settings.scrape;
        let (metrics, scrape) =
            metrics::start(settings, scraped, &resource, metrics_queue.as_ref())?;
        let traces = match &traces_queue {
            Some(queue) => Some(trace(settings, resource, queue)?),
            None => None,
        };
        Ok(Self {
            traces,
            metrics,
            queues: traces_queue.into_iter().chain(metrics_queue).collect(),
            scrape,
        })
    }

    /// The maker of spans, if traces are on.
    pub(crate) fn tracer(&self) -> Option<SdkTracer> {
        Some(self.traces.as_ref()?.tracer("crispy"))
    }
}

/// The queues of traces and metrics. They share a reporter if both lead to one collector.
fn queues(settings: &Settings) -> (Option<Arc<ExportQueue>>, Option<Arc<ExportQueue>>) {
    let (traces, metrics) = (settings.traces.as_ref(), settings.metrics.as_ref());
    // The addresses of signals differ by their paths at most.
    let origin = |address: &str| {
        let uri: Option<Uri> = address.parse().ok();
        uri.and_then(|uri| uri.authority().cloned())
    };
    let shared = Reporter::default();
    let [first, second] = [traces, metrics].map(|it| it.map(|it| origin(&it.address)));
    let other = match first == second {
        true => Arc::clone(&shared),
        false => Reporter::default(),
    };
    let capacity = settings.batches.queue;
    (
        traces.map(|it| ExportQueue::new(Signal::Traces, &it.address, capacity, shared)),
        metrics.map(|it| ExportQueue::new(Signal::Metrics, &it.address, usize::MAX, other)),
    )
}

fn trace(
    settings: &Settings,
    resource: Resource,
    queue: &Arc<ExportQueue>,
) -> anyhow::Result<SdkTracerProvider> {
    let mut provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(settings.sampling.sampler());
    if let Some(collector) = &settings.traces {
        let exporter = ReportingExporter {
            queue: Arc::clone(queue),
            exporter: exporter::spans(collector, queue)?,
        };
        let batches = &settings.batches;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(batches.queue)
            .with_max_export_batch_size(batches.size)
            .with_scheduled_delay(batches.delay)
            .build();
        let next = BatchSpanProcessor::builder(exporter).with_batch_config(config);
        provider = provider.with_span_processor(SpanFilter {
            queue: Arc::clone(queue),
            next: next.build(),
        });
    }
    set_propagators(&settings.propagators);
    Ok(provider.build())
}

fn set_propagators(names: &[&str]) {
    let propagators = names.iter().map(|name| match *name {
        "baggage" => Box::new(BaggagePropagator::new()) as Box<dyn TextMapPropagator + Send + Sync>,
        _ => Box::new(TraceContextPropagator::new()),
    });
    global::set_text_map_propagator(TextMapCompositePropagator::new(propagators.collect()));
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let (traces, metrics) = (self.traces.take(), self.metrics.take());
        if traces.is_none() && metrics.is_none() {
            return;
        }
        // The SDK's own limits do not hold with a silent collector, and its shutdown may not run
        // inside a runtime.
        let (sender, done) = mpsc::channel();
        for shut_down in [
            Box::new(move || drop(traces.map(|it| it.shutdown_with_timeout(FLUSH_TIMEOUT))))
                as Box<dyn FnOnce() + Send>,
            Box::new(move || drop(metrics.map(|metrics| metrics.shutdown()))),
        ] {
            let sender = sender.clone();
            thread::spawn(move || {
                shut_down();
                // The receiver is gone if this took too long.
                let _ = sender.send(());
            });
        }
        drop(sender);
        let now = Instant::now();
        let healthy = self.queues.iter().all(|queue| queue.is_healthy(now));
        let deadline = now
            + match healthy {
                true => FLUSH_TIMEOUT,
                false => UNHEALTHY_FLUSH_TIMEOUT,
            };
        for _ in 0..2 {
            let left = deadline.saturating_duration_since(Instant::now());
            if done.recv_timeout(left).is_err() {
                break;
            }
        }
        for queue in &self.queues {
            queue.log_lost();
        }
    }
}
