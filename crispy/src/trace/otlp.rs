//! Spans out of OTLP's JSON, as the present `/api/v3` of Jaeger tells them. Pure.

use serde::Deserialize;
use serde_json::Value;

use super::span::{NoTraceId, Span};

/// The status code of a span that failed (OTLP, `STATUS_CODE_ERROR`).
const ERROR: u64 = 2;

#[derive(Deserialize)]
struct Answer {
    result: Found,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    #[serde(default)]
    resource_spans: Vec<OfResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfResource {
    #[serde(default)]
    resource: Resource,
    #[serde(default)]
    scope_spans: Vec<OfScope>,
}

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct OfScope {
    #[serde(default)]
    spans: Vec<Told>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    trace_id: String,
    span_id: String,
    #[serde(default)]
    parent_span_id: String,
    name: String,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: Value,
}

/// The spans of an answer, of one trace or of many.
///
/// # Errors
/// What is not as it should be.
pub(super) fn spans(json: &[u8]) -> Result<Vec<Span>, String> {
    let answer: Answer = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let mut spans = Vec::new();
    for of in answer.result.resource_spans {
        let service = of.resource.attributes.iter();
        let service = service.filter(|attribute| attribute.key == "service.name");
        let service = service.map(Attribute::text).next().unwrap_or_default();
        for told in of.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(told.span(&service)?);
        }
    }
    Ok(spans)
}

impl Told {
    fn span(self, service: &str) -> Result<Span, String> {
        let wrong = |field: &str, text: &str, why: &str| {
            let id = &self.span_id;
            format!("{field} of span {id:?} is {text:?}: {why}")
        };
        let time = |field, text: &str| {
            let time = text.parse::<u64>();
            time.map_err(|_| wrong(field, text, "not a time in nanoseconds"))
        };
        let start_ns = time("startTimeUnixNano", &self.start_time_unix_nano)?;
        let end_ns = time("endTimeUnixNano", &self.end_time_unix_nano)?;
        let trace = self.trace_id.parse();
        let trace = trace
            .map_err(|error: NoTraceId| wrong("traceId", &self.trace_id, &error.to_string()))?;
        let attributes = self.attributes.iter();
        Ok(Span {
            trace,
            id: self.span_id,
            parent: Some(self.parent_span_id).filter(|id| id.bytes().any(|byte| byte != b'0')),
            service: service.to_owned(),
            name: self.name,
            start_ns,
            duration_ns: end_ns.saturating_sub(start_ns),
            error: (self.status.code == ERROR).then_some(self.status.message),
            attributes: attributes.map(|a| (a.key.clone(), a.text())).collect(),
        })
    }
}

impl Attribute {
    /// Its value: `{"stringValue":"x"}`, `{"intValue":"3"}`, `{"boolValue":true}`; of lists and maps their JSON.
    fn text(&self) -> String {
        let values = self
            .value
            .as_object()
            .into_iter()
            .flat_map(|of| of.values());
        match values.into_iter().next() {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}
