//! Received spans and points, as text that a test can compare.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::{
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::{Metric, metric::Data, number_data_point},
    trace::v1::{Span, status::StatusCode},
};

/// Attributes by their keys, values as text.
pub type Attributes = BTreeMap<String, String>;

/// A received span.
#[derive(Clone, Debug)]
pub struct ReceivedSpan {
    /// The resource: the program that recorded it.
    pub resource: Attributes,
    /// Its name.
    pub name: String,
    /// Its trace, in hexadecimal.
    pub trace_id: String,
    /// Its own id, in hexadecimal.
    pub span_id: String,
    /// The id of its parent, in hexadecimal; empty for the root of a trace.
    pub parent_id: String,
    /// Its kind, in lower case: `internal`, `client`, `server`, `producer` or `consumer`.
    pub kind: String,
    /// Its start, in Unix nanoseconds.
    pub start_ns: u64,
    /// Its end, in Unix nanoseconds.
    pub end_ns: u64,
    /// True if its trace was sampled.
    pub sampled: bool,
    /// True if it ended in error.
    pub failed: bool,
    /// The error's message; empty without one.
    pub error: String,
    /// Spans that it is linked to: trace and span, in hexadecimal.
    pub links: Vec<(String, String)>,
    /// Its events, the log lines inside the span: message and fields.
    pub events: Vec<(String, Attributes)>,
    /// Its attributes.
    pub attributes: Attributes,
    /// The keys of the attributes that are integers rather than text of digits.
    pub numbers: BTreeSet<String>,
}

/// A received point of a metric.
#[derive(Clone, Debug)]
pub struct ReceivedPoint {
    /// The resource: the program that recorded it.
    pub resource: Attributes,
    /// The metric's name.
    pub name: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// Its value; for a histogram, the number of values.
    pub value: f64,
}

pub(super) fn span(resource: &Attributes, span: Span) -> ReceivedSpan {
    let kind = span.kind().as_str_name().trim_start_matches("SPAN_KIND_");
    let kind = kind.to_lowercase();
    let status = span.status.unwrap_or_default();
    let failed = status.code() == StatusCode::Error;
    let (links, events) = (span.links.iter(), span.events.into_iter());
    ReceivedSpan {
        resource: resource.clone(),
        name: span.name,
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        start_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
        // The lowest bit of the flags is W3C's.
        sampled: span.flags & 1 == 1,
        failed,
        error: status.message,
        kind,
        links: links
            .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
            .collect(),
        events: events
            .map(|event| (event.name, attributes(&event.attributes)))
            .collect(),
        attributes: attributes(&span.attributes),
        numbers: numbers(&span.attributes),
    }
}

fn numbers(pairs: &[KeyValue]) -> BTreeSet<String> {
    let is_number = |pair: &&KeyValue| {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        matches!(value, Some(Value::IntValue(_)))
    };
    let numbers = pairs.iter().filter(is_number);
    numbers.map(|pair| pair.key.clone()).collect()
}

pub(super) fn points(resource: &Attributes, metric: Metric) -> Vec<ReceivedPoint> {
    let number = |value: Option<number_data_point::Value>| match value {
        Some(number_data_point::Value::AsDouble(value)) => value,
        Some(number_data_point::Value::AsInt(value)) => value as f64,
        None => f64::NAN,
    };
    let values: Vec<(Attributes, f64)> = match metric.data {
        Some(Data::Gauge(gauge)) => gauge
            .data_points
            .iter()
            .map(|point| (attributes(&point.attributes), number(point.value)))
            .collect(),
        Some(Data::Sum(sum)) => sum
            .data_points
            .iter()
            .map(|point| (attributes(&point.attributes), number(point.value)))
            .collect(),
        Some(Data::Histogram(histogram)) => histogram
            .data_points
            .iter()
            .map(|point| (attributes(&point.attributes), point.count as f64))
            .collect(),
        _ => Vec::new(),
    };
    let point = |(attributes, value)| ReceivedPoint {
        resource: resource.clone(),
        name: metric.name.clone(),
        attributes,
        value,
    };
    values.into_iter().map(point).collect()
}

pub(super) fn attributes(pairs: &[KeyValue]) -> Attributes {
    let text = |pair: &KeyValue| match pair.value.as_ref().and_then(|v| v.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(truth)) => truth.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    pairs
        .iter()
        .map(|pair| (pair.key.clone(), text(pair)))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
