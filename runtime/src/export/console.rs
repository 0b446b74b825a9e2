//! Spans on stderr, one object a line: to see what is made without a collector. stdout belongs to what a program was asked for.

use std::{io::Write, time::SystemTime};

use opentelemetry::{Key, KeyValue, trace::Status};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use serde_json::{Map, Value, json};

use crate::logging::Lines;

/// `OTEL_TRACES_EXPORTER=console`.
#[derive(Debug, Default)]
pub(super) struct Console {
    /// Several programs may share one terminal.
    service: String,
}

impl SpanExporter for Console {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in batch {
            // Where stderr cannot be written there is nobody to tell.
            drop(Lines.write_all(format!("{}\n", self.line(&span)).as_bytes()));
        }
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        let service = resource.get(&Key::from_static_str("service.name"));
        self.service = service.map(|name| name.to_string()).unwrap_or_default();
    }
}

impl Console {
    fn line(&self, span: &SpanData) -> Value {
        let lasted = span.end_time.duration_since(span.start_time);
        let error = match &span.status {
            Status::Error { description } => json!(description),
            Status::Ok | Status::Unset => Value::Null,
        };
        let links = span.links.iter().map(|link| &link.span_context);
        let links = links.map(|to| json!({"trace_id": to.trace_id().to_string(), "span_id": to.span_id().to_string()}));
        let events = span.events.iter().map(|event| {
            json!({"name": event.name, "at_us": unix_micros(event.timestamp), "attributes": object(&event.attributes)})
        });
        json!({
            "span": span.name,
            "service": self.service,
            "kind": format!("{:?}", span.span_kind).to_lowercase(),
            "trace_id": span.span_context.trace_id().to_string(),
            "span_id": span.span_context.span_id().to_string(),
            "parent_id": span.parent_span_id.to_string(),
            "start_us": unix_micros(span.start_time),
            "duration_us": micros(lasted.unwrap_or_default()),
            "error": error,
            "attributes": object(&span.attributes),
            "links": links.collect::<Vec<_>>(),
            "events": events.collect::<Vec<_>>(),
        })
    }
}

fn object(attributes: &[KeyValue]) -> Map<String, Value> {
    let pairs = attributes.iter();
    pairs
        .map(|kv| (kv.key.to_string(), kv.value.to_string().into()))
        .collect()
}

fn unix_micros(time: SystemTime) -> u64 {
    micros(
        time.duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
