//! Parses spans from OTLP's JSON, the form of Jaeger's `/api/v3`. Pure.

use serde::Deserialize;
use serde_json::Value;

use super::span::{InvalidTraceId, Span};

/// Status code of a failed span (OTLP, `STATUS_CODE_ERROR`).
const ERROR: u64 = 2;

#[derive(Deserialize)]
struct Response {
    result: TracesData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TracesData {
    #[serde(default)]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    #[serde(default)]
    resource: Resource,
    #[serde(default)]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    #[serde(default)]
    spans: Vec<SpanJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson {
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

/// The spans of a response, of one trace or of many.
///
/// # Errors
/// The place and reason of the first malformed part.
pub(super) fn spans(json: &[u8]) -> Result<Vec<Span>, String> {
    let response: Response = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let mut spans = Vec::new();
    for group in response.result.resource_spans {
        let service = group.resource.attributes.iter();
        let service = service.filter(|attribute| attribute.key == "service.name");
        let service = service.map(Attribute::text).next().unwrap_or_default();
        for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(span.into_span(&service)?);
        }
    }
    Ok(spans)
}

impl SpanJson {
    fn into_span(self, service: &str) -> Result<Span, String> {
        let malformed = |field: &str, text: &str, reason: &str| {
            let id = &self.span_id;
            format!("{field} of span {id:?} is {text:?}: {reason}")
        };
        let time = |field, text: &str| {
            let time = text.parse::<u64>();
            time.map_err(|_| malformed(field, text, "not a time in nanoseconds"))
        };
        let start_ns = time("startTimeUnixNano", &self.start_time_unix_nano)?;
        let end_ns = time("endTimeUnixNano", &self.end_time_unix_nano)?;
        let trace = self.trace_id.parse();
        let trace = trace.map_err(|error: InvalidTraceId| {
            malformed("traceId", &self.trace_id, &error.to_string())
        })?;
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
    /// Its value as text: of `{"stringValue":"x"}`, `{"intValue":"3"}` or `{"boolValue":true}`.
    /// Lists and maps become their JSON.
    fn text(&self) -> String {
        let values = self
            .value
            .as_object()
            .into_iter()
            .flat_map(|object| object.values());
        match values.into_iter().next() {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_response_is_an_error() {
        for json in [
            "",
            "<!doctype html>",
            "{}",
            r#"{"data":null}"#,
            r#"{"result":{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}}"#,
        ] {
            assert!(spans(json.as_bytes()).is_err(), "{json}");
        }
    }
}
