//! JSON lines of a trace: one for each span in the order of the tree, then a summary. Pure.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    summary::TraceSummary,
    tree::{self, Row},
};

/// The lines of one trace, its summary last.
pub(super) fn lines(trace: &TraceSummary, url: &str) -> Vec<Value> {
    let start = trace.start_ns();
    let rows = tree::rows(&trace.spans);
    let mut lines: Vec<Value> = rows.iter().map(|row| span(row, start)).collect();
    lines.push(summary(trace, url));
    lines
}

/// `{"type":"span", …}`: `depth` is the number of ancestors, `offset_s` the time since the trace's
/// start.
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
fn summary(trace: &TraceSummary, url: &str) -> Value {
    let chunk = trace.chunk();
    json!({
        "type": "summary",
        "trace": trace.id.to_string(),
        "url": url,
        "chunk": chunk.as_ref().map(ToString::to_string),
        "spans": trace.spans.len(),
        "errors": trace.errors(),
        "redeliveries": trace.redeliveries(),
        "start": time(trace.start_ns()),
        "duration_s": seconds(trace.length_ns()),
        "cut_to_inspected_s": trace.cut_to_inspected_ns().map(seconds),
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
    fn every_span_is_a_line_before_the_summary() {
        let spans = otlp::spans(include_bytes!("fixtures/v3.json")).unwrap();
        let trace = TraceSummary::group(spans).remove(0);
        let lines = lines(&trace, "http://h/trace/x");
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
