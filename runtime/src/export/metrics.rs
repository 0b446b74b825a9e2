//! From instruments to whoever reads them: Prometheus, a collector, stderr.

use std::{io::Write, time::Duration};

use opentelemetry::global;
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
};
use prometheus::{Registry, TextEncoder};

use super::{
    endpoint::METRICS, exporter, process, road::Collectors, send::Heard, settings::Target,
};
use crate::{logging::Lines, telemetry_thread::TelemetryThread};

/// What is measured, as Prometheus reads it.
#[derive(Clone, Debug)]
pub(crate) struct Scrape(Registry);

impl Scrape {
    /// The text format of Prometheus, version 0.0.4.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // It can fail on a metric without a name only.
        drop(TextEncoder::new().encode_utf8(&self.0.gather(), &mut text));
        text
    }
}

/// Sets the process's meter, which instruments are made of from then on. `None` where nobody would read it.
pub(super) fn start(
    targets: &[Target],
    scrape: bool,
    resource: &Resource,
    collectors: &mut Collectors,
    thread: &TelemetryThread,
) -> anyhow::Result<Option<(SdkMeterProvider, Option<Scrape>)>> {
    let console = targets.contains(&Target::Console);
    if targets.is_empty() && !scrape {
        return Ok(None);
    }
    let mut provider = SdkMeterProvider::builder().with_resource(resource.clone());
    let mut read = None;
    if scrape || console {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false);
        provider = provider.with_reader(exporter.build()?);
        read = Some(Scrape(registry));
    }
    for target in targets {
        let Target::Otlp(otlp) = target else { continue };
        let road = collectors.road(METRICS, &otlp.address, usize::MAX);
        let exporter = exporter::metrics(otlp, &road)?;
        provider = provider.with_reader(PeriodicReader::builder(Heard { road, exporter }).build());
    }
    let provider = provider.build();
    global::set_meter_provider(provider.clone());
    crispy_telemetry::enable();
    process::observe();
    if let Some(scrape) = read.clone().filter(|_| console) {
        thread.handle().spawn(print(scrape, interval()));
    }
    Ok(Some((provider, read.filter(|_| scrape))))
}

/// The SDK's own reading of the variable, for the one target that is not the SDK's.
fn interval() -> Duration {
    let told = std::env::var("OTEL_METRIC_EXPORT_INTERVAL").ok();
    let milliseconds = told.and_then(|told| told.trim().parse().ok());
    Duration::from_millis(milliseconds.unwrap_or(60_000))
}

/// `OTEL_METRICS_EXPORTER=console`: what Prometheus would read, on stderr.
async fn print(scrape: Scrape, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        drop(Lines.write_all(scrape.text().as_bytes()));
    }
}
