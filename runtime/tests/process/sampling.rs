//! Sampling of traces, and the export of failures.

use std::collections::HashSet;

use crispy_testbed::OtlpReceiver;

use super::run_exporting;

#[test]
fn an_unsampled_failure_is_found_by_its_log_line() {
    let receiver = OtlpReceiver::start();
    let url = receiver.url();
    let mut program = super::reporter(
        &[
            "--chunks",
            "300",
            "--fail-every",
            "100",
            "--ends",
            "--otlp-endpoint",
            &url,
        ],
        &[
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0"),
        ],
    );
    let lines: Vec<_> = program.lines.by_ref().map_while(Result::ok).collect();
    let failures: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("answers 403"))
        .collect();
    assert_eq!(failures.len(), 3);
    let spans = receiver.spans();
    for line in failures {
        let trace = line
            .split(r#""trace_id":""#)
            .nth(1)
            .expect("an id in the line");
        let found = spans
            .iter()
            .filter(|span| trace.starts_with(&span.trace_id));
        let names: HashSet<_> = found
            .map(|span| (span.name.as_str(), span.failed))
            .collect();
        let down_to_its_cause = [("PUT object", true), ("process chunks.{camera}", true)];
        assert_eq!(names, HashSet::from(down_to_its_cause), "{line}");
    }
    assert_eq!(spans.len(), 6, "only failures");
    assert!(spans.iter().all(|span| !span.sampled));
}

#[test]
fn a_ratio_keeps_so_many_whole_traces() {
    let receiver = OtlpReceiver::start();
    run_exporting(
        &receiver,
        &["--chunks", "400"],
        &[
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ],
    );
    let spans = receiver.spans();
    let traces: HashSet<_> = spans.iter().map(|span| &span.trace_id).collect();
    // Six standard deviations of 400 throws on either side.
    assert!((48..=152).contains(&traces.len()), "{}", traces.len());
    assert_eq!(spans.len(), traces.len() * 4);
}

#[test]
fn always_off_exports_no_failures() {
    let receiver = OtlpReceiver::start();
    run_exporting(
        &receiver,
        &["--chunks", "3", "--fail-every", "1"],
        &[("OTEL_TRACES_SAMPLER", "always_off")],
    );
    assert!(receiver.spans().is_empty() && !receiver.points().is_empty());
}
