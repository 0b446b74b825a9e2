//! Spans in OTLP's JSON, as Jaeger's `/api/v3` tells them: written for a stand-in, read from a real one.

use std::collections::BTreeSet;

use crispy_testbed::{Attributes, ReceivedSpan};
use serde_json::{Value, json};

/// OTLP's numbers for kinds of spans: their places.
const KINDS: [&str; 6] = [
    "unspecified",
    "internal",
    "server",
    "client",
    "producer",
    "consumer",
];

/// OTLP's number for a span that failed.
const ERROR: u64 = 2;

/// What was received, as `/api/v3` tells it.
pub(crate) fn told(spans: &[ReceivedSpan]) -> Value {
    let of_resource = |span: &ReceivedSpan| {
        json!({
            "resource": {"attributes": pairs(&span.resource)},
            "scopeSpans": [{"spans": [told_span(span)]}],
        })
    };
    let told: Vec<_> = spans.iter().map(of_resource).collect();
    json!({"result": {"resourceSpans": told}})
}

fn told_span(span: &ReceivedSpan) -> Value {
    let link = |(trace, span): &(String, String)| json!({"traceId": trace, "spanId": span});
    let event =
        |(name, said): &(String, Attributes)| json!({"name": name, "attributes": pairs(said)});
    json!({
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_id,
        "flags": u8::from(span.sampled),
        "name": span.name,
        "kind": KINDS.iter().position(|kind| *kind == span.kind),
        "startTimeUnixNano": span.start_ns.to_string(),
        "endTimeUnixNano": span.end_ns.to_string(),
        "attributes": pairs_of(span),
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "status": {"code": if span.failed { ERROR } else { 0 }, "message": span.error},
    })
}

/// A span's own, of which some are numbers.
fn pairs_of(span: &ReceivedSpan) -> Vec<Value> {
    let kind = |key| match span.numbers.contains(key) {
        true => "intValue",
        false => "stringValue",
    };
    let pair = |(key, value)| json!({"key": key, "value": {kind(key): value}});
    span.attributes.iter().map(pair).collect()
}

fn pairs(attributes: &Attributes) -> Vec<Value> {
    let pair = |(key, value)| json!({"key": key, "value": {"stringValue": value}});
    attributes.iter().map(pair).collect()
}

/// What `/api/v3` tells, as it would have been received.
pub(crate) fn heard(json: &[u8]) -> Vec<ReceivedSpan> {
    let said: Value = serde_json::from_slice(json).expect("Jaeger answers in JSON");
    let of_resources = list(&said["result"]["resourceSpans"]);
    let spans = of_resources.flat_map(|of| {
        let resource = attributes(&of["resource"]);
        let scopes = list(&of["scopeSpans"]);
        let spans = scopes.flat_map(|scope| list(&scope["spans"]));
        spans.map(move |told| span(&resource, told))
    });
    spans.collect()
}

fn span(resource: &Attributes, told: &Value) -> ReceivedSpan {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let time = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    let link = |link: &Value| (text(&link["traceId"]), text(&link["spanId"]));
    let event = |event: &Value| (text(&event["name"]), attributes(event));
    ReceivedSpan {
        resource: resource.clone(),
        name: text(&told["name"]),
        trace_id: text(&told["traceId"]),
        span_id: text(&told["spanId"]),
        parent_id: text(&told["parentSpanId"]),
        kind: KINDS[number(&told["kind"]) as usize].to_owned(),
        start_ns: time(&told["startTimeUnixNano"]).expect("spans begin"),
        end_ns: time(&told["endTimeUnixNano"]).expect("spans end"),
        sampled: number(&told["flags"]) & 1 == 1,
        failed: number(&told["status"]["code"]) == ERROR,
        error: text(&told["status"]["message"]),
        links: list(&told["links"]).map(link).collect(),
        events: list(&told["events"]).map(event).collect(),
        attributes: attributes(told),
        numbers: numbers(told),
    }
}

/// Those of a resource, a span or an event. A value is `{"stringValue":"x"}`, `{"intValue":"3"}`, `{"boolValue":true}`.
fn attributes(of: &Value) -> Attributes {
    let value = |attribute: &Value| {
        let value = attribute["value"].as_object()?.values().next()?;
        Some(value.as_str().map_or(value.to_string(), str::to_owned))
    };
    let pair = |attribute: &Value| {
        (
            text(&attribute["key"]),
            value(attribute).unwrap_or_default(),
        )
    };
    list(&of["attributes"]).map(pair).collect()
}

/// Which of them are whole numbers.
fn numbers(of: &Value) -> BTreeSet<String> {
    let attributes = list(&of["attributes"]);
    let numbers = attributes.filter(|attribute| !attribute["value"]["intValue"].is_null());
    numbers.map(|attribute| text(&attribute["key"])).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn what_a_jaeger_is_told_it_tells() {
    let recorded = heard(include_bytes!("../../../src/trace/fixtures/v3.json"));
    assert_eq!(recorded.len(), 9);
    assert!(recorded.iter().any(|span| !span.links.is_empty()));
    let again = heard(told(&recorded).to_string().as_bytes());
    assert_eq!(format!("{again:?}"), format!("{recorded:?}"));
}
