//! The form and the number of log lines.

use crispy_testbed::OtlpReceiver;
use serde_json::Value;

use super::reporter;

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The line of a failure, from a program with traces.
fn failure(flags: &[&str], variables: &[(&str, &str)]) -> String {
    let receiver = OtlpReceiver::start();
    let url = receiver.url();
    let mut all = vec!["--fail-every", "1", "--otlp-endpoint", &url];
    all.extend(flags);
    reporter(&all, variables).line_with("answers 403")
}

#[test]
fn a_json_line_has_its_fields_and_its_trace() {
    let line = json(&failure(&[], &[]));
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["message"], "the bucket answers 403");
    assert_eq!(line["sequence"], 0);
    assert_eq!(line["target"], "reporter");
    assert!(
        line["timestamp"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );
    assert_eq!(line["trace_id"].as_str().map(str::len), Some(32));
    assert_eq!(line["span_id"].as_str().map(str::len), Some(16));
}

#[test]
fn a_google_line_has_its_fields_and_the_traces_name() {
    let line = json(&failure(
        &["--log-format", "gcp"],
        &[("GOOGLE_CLOUD_PROJECT", "shop-video")],
    ));
    assert_eq!(line["severity"], "ERROR");
    assert_eq!(line["message"], "the bucket answers 403");
    assert!(line["timestamp"]["seconds"].is_u64() && line["timestamp"]["nanos"].is_u64());
    let trace = line["logging.googleapis.com/trace"]
        .as_str()
        .expect("a trace");
    let id = trace.strip_prefix("projects/shop-video/traces/");
    assert_eq!(id.map(str::len), Some(32), "{trace}");
    let span = line["logging.googleapis.com/spanId"].as_str();
    assert_eq!(span.map(str::len), Some(16));
    assert_eq!(line["logging.googleapis.com/trace_sampled"], true);
    let bare = json(&failure(&["--log-format", "gcp"], &[]));
    let trace = bare["logging.googleapis.com/trace"].as_str();
    assert_eq!(trace.map(str::len), Some(32));
}

#[test]
fn a_text_line_ends_with_its_trace() {
    let line = failure(&["--log-format", "text"], &[]);
    let (message, ids) = line.split_once(" trace_id=").expect("its trace");
    assert!(
        message.ends_with("ERROR the bucket answers 403 sequence=0"),
        "{line}"
    );
    let (trace, span) = ids.split_once(" span_id=").expect("its span");
    assert_eq!((trace.len(), span.len()), (32, 16), "{line}");
}

#[test]
fn log_chunks_problems_leaves_out_good_chunks() {
    let lines = |which| {
        let flags = [
            "--chunks",
            "4",
            "--fail-every",
            "4",
            "--warnings",
            "2",
            "--ends",
            "--log-chunks",
            which,
        ];
        let mut program = reporter(&flags, &[]);
        let lines: Vec<_> = program.lines.by_ref().map_while(Result::ok).collect();
        let count = |word| lines.iter().filter(|line| line.contains(word)).count();
        let problems = (count("answers 403"), count("the same trouble"));
        (count("uploaded"), problems, count("reported"))
    };
    assert_eq!(lines("all"), (3, (1, 2), 1));
    assert_eq!(lines("problems"), (0, (1, 2), 1));
}

#[test]
fn a_repeated_warning_is_twenty_lines_and_a_count() {
    let mut program = reporter(&["--warnings", "432", "--ends"], &[]);
    let lines: Vec<_> = program.lines.by_ref().map_while(Result::ok).collect();
    let same: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("the same trouble"))
        .collect();
    assert_eq!(same.len(), 21, "{same:#?}");
    let last = json(same[20]);
    assert_eq!(last["message"], "repeated warnings suppressed");
    assert_eq!(
        (&last["suppressed"], &last["last"], &last["level"]),
        (&412.into(), &"the same trouble".into(), &"WARN".into())
    );
}

#[test]
fn fewer_lines_are_not_fewer_spans() {
    let receiver = OtlpReceiver::start();
    let url = receiver.url();
    let mut program = reporter(
        &["--log-level", "off", "--ends", "--otlp-endpoint", &url],
        &[],
    );
    let lines = program.lines.by_ref().map_while(Result::ok).count();
    assert_eq!((lines, receiver.spans().len()), (0, 4));
}
