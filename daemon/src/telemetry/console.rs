//! Spans on stderr, one object a line: to see what is made without a collector. stdout belongs to what a program was asked for.

use std::{io::Write, time::SystemTime};

use opentelemetry::trace::Status;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use serde_json::{Map, Value, json};

use crate::logging::Lines;

/// `OTEL_TRACES_EXPORTER=console`.
#[derive(Debug)]
pub(super) struct Console;

impl SpanExporter for Console {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in batch {
            // Where stderr cannot be written there is nobody to tell.
            drop(Lines.write_all(format!("{}\n", line(&span)).as_bytes()));
        }
        Ok(())
    }
}

fn line(span: &SpanData) -> Value {
    let attributes = span.attributes.iter();
    let attributes: Map<String, Value> = attributes
        .map(|kv| (kv.key.to_string(), kv.value.to_string().into()))
        .collect();
    let lasted = span.end_time.duration_since(span.start_time);
    let since = span.start_time.duration_since(SystemTime::UNIX_EPOCH);
    json!({
        "span": span.name,
        "kind": format!("{:?}", span.span_kind).to_lowercase(),
        "trace_id": span.span_context.trace_id().to_string(),
        "span_id": span.span_context.span_id().to_string(),
        "parent_id": span.parent_span_id.to_string(),
        "start_us": micros(since.unwrap_or_default()),
        "duration_us": micros(lasted.unwrap_or_default()),
        "error": matches!(span.status, Status::Error { .. }),
        "attributes": attributes,
    })
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
