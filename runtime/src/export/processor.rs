//! The parts between the SDK and a collector: a filter for spans, and an exporter that reports.

use std::{sync::Arc, time::Duration};

use opentelemetry::{Context, trace::Status};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
    trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};

use super::queue::ExportQueue;

/// Passes sampled spans and failed ones (see [`sampling`](super::sampling)) to the batches,
/// while the queue has room.
#[derive(Debug)]
pub(super) struct SpanFilter {
    pub(super) queue: Arc<ExportQueue>,
    pub(super) next: BatchSpanProcessor,
}

impl SpanProcessor for SpanFilter {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let failed = matches!(span.status, Status::Error { .. });
        if (span.span_context.is_sampled() || failed) && self.queue.admit() {
            self.next.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}

/// An exporter that reports the result of each export to its queue.
#[derive(Debug)]
pub(super) struct ReportingExporter<E> {
    pub(super) queue: Arc<ExportQueue>,
    pub(super) exporter: E,
}

impl<E> ReportingExporter<E> {
    async fn report(
        &self,
        count: usize,
        export: impl Future<Output = OTelSdkResult>,
    ) -> OTelSdkResult {
        self.queue.begin_export();
        let result = export.await;
        match &result {
            Ok(()) => self.queue.exported(count),
            Err(error) => self.queue.export_failed(count, &error.to_string()),
        }
        result
    }
}

impl<E: SpanExporter> SpanExporter for ReportingExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.report(batch.len(), self.exporter.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for ReportingExporter<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.report(1, self.exporter.export(metrics)).await
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
