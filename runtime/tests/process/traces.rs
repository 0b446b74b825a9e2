//! Spans at a collector, over either protocol.

use crispy_testbed::{OtlpReceiver, ReceivedSpan};

use super::{reporter, tell_all};

fn named<'a>(spans: &'a [ReceivedSpan], name: &str) -> &'a ReceivedSpan {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
}

#[test]
fn one_trace_goes_through_over_grpc_and_over_http() {
    for protocol in ["grpc", "http/protobuf"] {
        for compression in ["none", "gzip"] {
            let receiver = OtlpReceiver::start();
            tell_all(
                &receiver,
                &[],
                &[
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                    ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
                ],
            );
            let spans = receiver.spans();
            assert_eq!(spans.len(), 4, "{protocol}: {spans:#?}");
            let process = named(&spans, "process chunks.{camera}");
            let publish = named(&spans, "publish chunks.{camera}");
            let cut = named(&spans, "cut chunk");
            assert!(spans.iter().all(|span| span.trace_id == cut.trace_id));
            assert_eq!(
                (cut.parent_id.as_str(), &publish.parent_id),
                ("", &cut.span_id)
            );
            assert_eq!(process.parent_id, publish.span_id);
            assert_eq!(
                process.links,
                [(cut.trace_id.clone(), publish.span_id.clone())]
            );
            assert_eq!(named(&spans, "PUT object").parent_id, process.span_id);
            assert_eq!(cut.attributes["camera"], "front");
        }
    }
}

#[test]
fn a_resource_says_who_it_is_and_the_environment_has_the_last_word() {
    let receiver = OtlpReceiver::start();
    tell_all(
        &receiver,
        &[],
        &[(
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=night%20shift,service.namespace=video",
        )],
    );
    let resource = receiver.spans()[0].resource.clone();
    for (key, value) in [
        ("service.name", "crispy-reporter"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.namespace", "video"),
        ("deployment.environment.name", "night shift"),
        ("telemetry.sdk.language", "rust"),
    ] {
        assert_eq!(resource[key], value);
    }
    assert!(resource["service.instance.id"].starts_with(&resource["host.name"]));
    let receiver = OtlpReceiver::start();
    tell_all(&receiver, &[], &[("OTEL_SERVICE_NAME", "of-another-name")]);
    let resource = receiver.spans()[0].resource.clone();
    assert_eq!(resource["service.name"], "of-another-name");
    assert_eq!(resource["service.namespace"], "crispy");
    assert!(resource["process.pid"].parse::<u32>().is_ok());
}

#[test]
fn headers_reach_the_collector_and_nobody_else() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = OtlpReceiver::start();
        let url = receiver.url();
        let mut program = reporter(
            &["--ends", "--otlp-endpoint", &url, "--log-level", "trace"],
            &[
                ("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=a%20secret%20key"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ],
        );
        let lines: Vec<_> = program.lines.by_ref().map_while(Result::ok).collect();
        let headers = receiver.headers();
        assert!(
            headers.iter().any(|headers| headers
                .get("x-api-key")
                .is_some_and(|key| key == "a secret key")),
            "{headers:#?}"
        );
        let leak = lines.iter().find(|line| line.contains("secret"));
        assert_eq!(leak, None, "{protocol}");
    }
}

#[test]
fn a_variable_of_one_signal_goes_over_the_one_of_all() {
    let (general, own) = (OtlpReceiver::start(), OtlpReceiver::start());
    let traces = format!("{}/v1/traces", own.url());
    tell_all(
        &general,
        &[],
        &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces)],
    );
    assert!(general.spans().is_empty() && !general.points().is_empty());
    assert_eq!(own.spans().len(), 4);
}

#[test]
fn without_a_word_nothing_is_made_and_no_context_travels() {
    for variables in [
        &[][..],
        &[
            ("OTEL_SDK_DISABLED", "true"),
            ("OTEL_TRACES_EXPORTER", "otlp"),
        ],
        &[
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "none"),
        ],
    ] {
        let mut program = reporter(&["--chunks", "2", "--fail-every", "1"], variables);
        let failure = program.line_with("answers 403");
        assert!(!failure.contains("trace_id"), "{failure}");
        let threads = std::fs::read_dir(format!("/proc/{}/task", program.child.id()));
        let threads = threads.expect("it runs").count();
        assert_eq!(threads, 1, "nothing beside the program's own");
    }
}

#[test]
fn the_console_shows_spans_on_stderr_with_whose_they_are_and_what_went_wrong() {
    let flags = ["--ends", "--fail-every", "1"];
    let mut program = reporter(&flags, &[("OTEL_TRACES_EXPORTER", "console")]);
    let line = program.line_with(r#""span":"PUT object""#);
    let span: serde_json::Value = serde_json::from_str(&line).expect("an object");
    assert_eq!(
        (&span["kind"], &span["service"]),
        (&"client".into(), &"crispy-reporter".into())
    );
    assert!(span["error"].is_string(), "{line}");
}

#[test]
fn propagators_that_are_none_carry_nothing() {
    let receiver = OtlpReceiver::start();
    tell_all(&receiver, &[], &[("OTEL_PROPAGATORS", "none")]);
    let spans = receiver.spans();
    assert_ne!(
        named(&spans, "cut chunk").trace_id,
        named(&spans, "PUT object").trace_id
    );
}
