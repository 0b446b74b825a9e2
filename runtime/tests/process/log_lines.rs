//! The form of log lines, and how many there are.

use crispy_testbed::OtlpReceiver;
use serde_json::Value;

use super::reporter;

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The line of a failure, from a program that traces into the void.
fn failure(flags: &[&str], variables: &[(&str, &str)]) -> String {
    let receiver = OtlpReceiver::start();
    let url = receiver.url();
    let mut all = vec!["--fail-every", "1", "--otlp-endpoint", &url];
    all.extend(flags);
    reporter(&all, variables).line_with("answers 403")
}

#[test]
fn a_line_in_json_has_its_fields_at_the_top_and_leads_to_its_trace() {
    let line = json(&failure(&[], &[]));
    assert_eq!(line["level"], "ERROR");
    assert_eq!(
        line["message"],
        "the bucket answers 403; check the credentials"
    );
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
fn a_line_for_google_cloud_has_its_words_and_the_traces_full_name() {
    let line = json(&failure(
        &["--log-format", "gcp"],
        &[("GOOGLE_CLOUD_PROJECT", "shop-video")],
    ));
    assert_eq!(line["severity"], "ERROR");
    assert_eq!(
        line["message"],
        "the bucket answers 403; check the credentials"
    );
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
fn a_line_of_text_ends_with_its_trace() {
    let line = failure(&["--log-format", "text"], &[]);
    let (message, ids) = line.split_once(" trace_id=").expect("its trace");
    assert!(
        message.ends_with("ERROR the bucket answers 403; check the credentials sequence=0"),
        "{line}"
    );
    let (trace, span) = ids.split_once(" span_id=").expect("its span");
    assert_eq!((trace.len(), span.len()), (32, 16), "{line}");
}

#[test]
fn chunks_that_went_well_have_no_line_if_only_problems_shall_have_one() {
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
        (count("uploaded"), problems, count("told"))
    };
    assert_eq!(lines("all"), (3, (1, 2), 1));
    assert_eq!(lines("problems"), (0, (1, 2), 1));
}

#[test]
fn a_burst_of_one_warning_is_twenty_lines_and_a_count_at_the_latest_when_it_ends() {
    let mut program = reporter(&["--warnings", "432", "--ends"], &[]);
    let lines: Vec<_> = program.lines.by_ref().map_while(Result::ok).collect();
    let same: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("the same trouble"))
        .collect();
    assert_eq!(same.len(), 21, "{same:#?}");
    let last = json(same[20]);
    assert_eq!(
        last["message"],
        "... and 412 more in the last minute: the same trouble; mend it"
    );
    assert_eq!(
        (&last["more"], &last["level"]),
        (&412.into(), &"WARN".into())
    );
}

#[test]
fn who_wants_fewer_lines_does_not_get_fewer_spans() {
    let receiver = OtlpReceiver::start();
    let url = receiver.url();
    let mut program = reporter(
        &["--log-level", "off", "--ends", "--otlp-endpoint", &url],
        &[],
    );
    let lines = program.lines.by_ref().map_while(Result::ok).count();
    assert_eq!((lines, receiver.spans().len()), (0, 4));
}
