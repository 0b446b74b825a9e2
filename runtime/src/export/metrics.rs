//! The process' meter and its readers: Prometheus and a collector.

use std::sync::Arc;

use opentelemetry::global;
use opentelemetry_sdk::{
    Resource,
    metrics::{MeterProviderBuilder, PeriodicReader, SdkMeterProvider},
};
use prometheus::{Registry, TextEncoder};

use super::{
    exporter, process, processor::ReportingExporter, queue::ExportQueue, settings::Settings,
};

/// The metrics as Prometheus reads them.
#[derive(Clone, Debug)]
pub(crate) struct Scrape(Registry);

impl Scrape {
    /// The text format of Prometheus, version 0.0.4.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // It fails only on a metric without a name.
        drop(TextEncoder::new().encode_utf8(&self.0.gather(), &mut text));
        text
    }

    /// A page of metrics, and the provider that fills it.
    pub(super) fn new(
        provider: MeterProviderBuilder,
    ) -> anyhow::Result<(Self, MeterProviderBuilder)> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false);
        Ok((Self(registry), provider.with_reader(exporter.build()?)))
    }
}

/// Begins to measure: instruments are made of the process' meter from now on. `None` where neither
/// a collector nor Prometheus reads them.
pub(super) fn start(
    settings: &Settings,
    scraped: bool,
    resource: &Resource,
    queue: Option<&Arc<ExportQueue>>,
) -> anyhow::Result<(Option<SdkMeterProvider>, Option<Scrape>)> {
    let collector = settings.metrics.as_ref().zip(queue);
    if collector.is_none() && !scraped {
        return Ok((None, None));
    }
    let mut provider = SdkMeterProvider::builder().with_resource(resource.clone());
    let mut scrape = None;
    if scraped {
        let (page, filled) = Scrape::new(provider)?;
        (scrape, provider) = (Some(page), filled);
    }
    if let Some((collector, queue)) = collector {
        let exporter = ReportingExporter {
            queue: Arc::clone(queue),
            exporter: exporter::metrics(collector, queue)?,
        };
        let reader = PeriodicReader::builder(exporter).with_interval(settings.metric_interval);
        provider = provider.with_reader(reader.build());
    }
    let provider = provider.build();
    global::set_meter_provider(provider.clone());
    crispy_telemetry::enable();
    process::observe();
    Ok((Some(provider), scrape))
}
