//! Spans out of the JSON of Jaeger's older `/api`, which knows processes and tags. Pure.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::span::Span;

#[derive(Deserialize)]
struct Answer {
    data: Vec<Told>,
}

#[derive(Deserialize)]
struct Told {
    spans: Vec<ToldSpan>,
    #[serde(default)]
    processes: HashMap<String, Process>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    service_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldSpan {
    #[serde(rename = "traceID")]
    trace: String,
    #[serde(rename = "spanID")]
    id: String,
    operation_name: String,
    #[serde(default)]
    references: Vec<Reference>,
    /// Unix microseconds.
    start_time: u64,
    /// Microseconds.
    duration: u64,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(rename = "processID", default)]
    process: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    ref_type: String,
    #[serde(rename = "traceID")]
    trace: String,
    #[serde(rename = "spanID")]
    id: String,
}

#[derive(Deserialize)]
struct Tag {
    key: String,
    value: Value,
}

/// What Jaeger adds to the tags of a span that came by OTLP and failed.
const ERROR: &str = "error";
const DESCRIPTION: &str = "otel.status_description";

/// The spans of an answer, of one trace or of many.
///
/// # Errors
/// What is not as it should be.
pub(super) fn spans(json: &[u8]) -> Result<Vec<Span>, String> {
    let answer: Answer = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    let mut spans = Vec::new();
    for told in answer.data {
        for span in told.spans {
            let process = told.processes.get(&span.process);
            let service = process.map(|process| process.service_name.as_str());
            spans.push(span.span(service.unwrap_or_default())?);
        }
    }
    Ok(spans)
}

impl ToldSpan {
    fn span(self, service: &str) -> Result<Span, String> {
        let parent = self.parent();
        // Ids lose their leading zeros in old versions.
        let trace = format!("{:0>32}", self.trace);
        let tags = self.tags.into_iter().map(|tag| (tag.key, text(tag.value)));
        let attributes: BTreeMap<_, _> = tags.collect();
        let failed = attributes.get(ERROR).is_some_and(|error| error == "true");
        let why = attributes.get(DESCRIPTION).cloned().unwrap_or_default();
        Ok(Span {
            trace: trace
                .parse()
                .map_err(|error| format!("traceID of span {:?} is {trace:?}: {error}", self.id))?,
            id: self.id,
            parent,
            service: service.to_owned(),
            name: self.operation_name,
            start_ns: self.start_time.saturating_mul(1_000),
            duration_ns: self.duration.saturating_mul(1_000),
            error: failed.then_some(why),
            attributes,
        })
    }

    /// Jaeger tells a parent that is linked too as a link alone: `FOLLOWS_FROM`.
    fn parent(&self) -> Option<String> {
        let of_kind = |kind| {
            let mut references = self.references.iter();
            references.find(|other| other.ref_type == kind && other.trace == self.trace)
        };
        let parent = of_kind("CHILD_OF").or_else(|| of_kind("FOLLOWS_FROM"));
        parent.map(|parent| parent.id.clone())
    }
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::otlp;

    #[test]
    fn both_apis_of_one_jaeger_tell_the_same_trace() {
        let mut older = spans(include_bytes!("fixtures/older.json")).unwrap();
        let mut present = otlp::spans(include_bytes!("fixtures/v3.json")).unwrap();
        for spans in [&mut older, &mut present] {
            spans.sort_by(|a, b| a.id.cmp(&b.id));
            for span in spans {
                // The older one rounds to microseconds and adds tags of its own.
                span.start_ns = span.start_ns / 1_000 * 1_000;
                span.duration_ns = span.duration_ns / 1_000 * 1_000;
                let own =
                    |key: &String| key.starts_with("otel.") || key == "span.kind" || key == ERROR;
                span.attributes.retain(|key, _| !own(key));
            }
        }
        assert!(!present.is_empty());
        assert_eq!(older, present);
    }

    #[test]
    fn an_answer_that_is_none_is_refused_and_never_a_panic() {
        for json in [
            "",
            "<!doctype html>",
            "{}",
            r#"{"data":null}"#,
            r#"{"result":{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}}"#,
        ] {
            assert!(spans(json.as_bytes()).is_err(), "{json}");
            assert!(otlp::spans(json.as_bytes()).is_err(), "{json}");
        }
    }
}
