//! What stands between the SDK and a collector: a gate for spans, and an ear for what becomes of them.

use std::{sync::Arc, time::Duration};

use opentelemetry::{Context, trace::Status};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
    trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};

use super::road::Road;

/// Lets through what is sampled, and what ended in error ([`sampling`](super::sampling) says why), while there is room on the road.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) road: Arc<Road>,
    pub(super) next: BatchSpanProcessor,
}

impl SpanProcessor for Gate {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let failed = matches!(span.status, Status::Error { .. });
        if (span.span_context.is_sampled() || failed) && self.road.enter() {
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

/// An exporter whose road hears how each export ended.
#[derive(Debug)]
pub(super) struct Heard<E> {
    pub(super) road: Arc<Road>,
    pub(super) exporter: E,
}

impl<E> Heard<E> {
    fn hear(&self, many: usize, outcome: &OTelSdkResult) {
        match outcome {
            Ok(()) => self.road.arrived(many),
            Err(error) => self.road.failed(many, &error.to_string()),
        }
    }
}

impl<E: SpanExporter> SpanExporter for Heard<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let many = batch.len();
        self.road.begins();
        let outcome = self.exporter.export(batch).await;
        self.hear(many, &outcome);
        outcome
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

impl<E: PushMetricExporter> PushMetricExporter for Heard<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.road.begins();
        let outcome = self.exporter.export(metrics).await;
        self.hear(1, &outcome);
        outcome
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
