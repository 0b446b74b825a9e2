//! A trace for programs: an object for each span in the order of the tree, one for the whole. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    journey::Journey,
    tree::{self, Row},
};

/// The lines of one trace, its summary last.
pub(super) fn lines(journey: &Journey, url: &str) -> Vec<Value> {
    let start = journey.start_ns();
    let rows = tree::rows(&journey.spans);
    let mut lines: Vec<Value> = rows.iter().map(|row| span(row, start)).collect();
    lines.push(summary(journey, url));
    lines
}

/// `{"type":"span", …}`: `depth` counts the steps down from the top, `offset_s` the time since the trace began.
fn span(row: &Row<'_>, start: u64) -> Value {
    let span = row.span;
    json!({
        "type": "span",
        "trace": span.trace.to_string(),
        "span": span.id,
        "parent": span.parent,
        "orphan": row.orphan,
        "depth": row.last.len(),
        "service": span.service,
        "name": span.name,
        "start": time(span.start_ns),
        "offset_s": seconds(span.start_ns - start),
        "duration_s": seconds(span.duration_ns),
        "error": span.error,
        "delivery": span.redelivery().unwrap_or(1),
        "attributes": span.attributes,
    })
}

/// `{"type":"summary", …}`.
fn summary(journey: &Journey, url: &str) -> Value {
    let chunk = journey.chunk();
    json!({
        "type": "summary",
        "trace": journey.trace.to_string(),
        "url": url,
        "chunk": chunk.as_ref().map(ToString::to_string),
        "spans": journey.spans.len(),
        "errors": journey.errors(),
        "redeliveries": journey.redeliveries(),
        "start": time(journey.start_ns()),
        "duration_s": seconds(journey.length_ns()),
        "cut_to_inspected_s": journey.cut_to_inspected_ns().map(seconds),
    })
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn time(ns: u64) -> String {
    let at = Timestamp::from_nanosecond(ns.into());
    at.map(|at| format!("{at:.9}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::otlp;

    #[test]
    fn every_span_is_a_line_and_the_last_one_sums_up() {
        let spans = otlp::spans(include_bytes!("fixtures/v3.json")).unwrap();
        let journey = Journey::all(spans).remove(0);
        let lines = lines(&journey, "http://h/trace/x");
        let (summary, spans) = lines.split_last().unwrap();
        assert_eq!(spans.len(), 9);
        assert!(spans.iter().all(|line| line["type"] == "span"));
        assert_eq!(
            (&spans[0]["name"], &spans[0]["depth"]),
            (&json!("cut chunk"), &json!(0))
        );
        let failed = spans.iter().filter(|line| !line["error"].is_null());
        assert_eq!(failed.count(), 2);
        assert_eq!(
            (&summary["type"], &summary["redeliveries"]),
            (&json!("summary"), &json!(1))
        );
        assert_eq!(summary["cut_to_inspected_s"], 0.0951);
    }
}
