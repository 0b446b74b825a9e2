//! Spans at a collector, over either protocol.

use crispy_testbed::{OtlpReceiver, ReceivedSpan};

use super::{reporter, run_exporting};

fn named<'a>(spans: &'a [ReceivedSpan], name: &str) -> &'a ReceivedSpan {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
}

#[test]
fn one_trace_arrives_over_either_protocol() {
    for protocol in ["grpc", "http/protobuf"] {
        for compression in ["none", "gzip"] {
            let receiver = OtlpReceiver::start();
            run_exporting(
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
fn the_environment_overrides_the_resource() {
    let receiver = OtlpReceiver::start();
    run_exporting(
        &receiver,
        &[],
        &[(
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=night%20watch,service.namespace=video",
        )],
    );
    let resource = receiver.spans()[0].resource.clone();
    for (key, value) in [
        ("service.name", "crispy-reporter"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.namespace", "video"),
        ("deployment.environment.name", "night watch"),
        ("telemetry.sdk.language", "rust"),
    ] {
        assert_eq!(resource[key], value);
    }
    assert!(resource["service.instance.id"].starts_with(&resource["host.name"]));
    let receiver = OtlpReceiver::start();
    run_exporting(&receiver, &[], &[("OTEL_SERVICE_NAME", "of-another-name")]);
    let resource = receiver.spans()[0].resource.clone();
    assert_eq!(resource["service.name"], "of-another-name");
    assert_eq!(resource["service.namespace"], "crispy");
    assert!(resource["process.pid"].parse::<u32>().is_ok());
}

#[test]
fn headers_reach_only_the_collector() {
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
fn a_variable_of_one_signal_overrides_the_general_one() {
    let (general, own) = (OtlpReceiver::start(), OtlpReceiver::start());
    let traces = format!("{}/v1/traces", own.url());
    run_exporting(
        &general,
        &[],
        &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces)],
    );
    assert!(general.spans().is_empty() && !general.points().is_empty());
    assert_eq!(own.spans().len(), 4);
}

#[test]
fn without_settings_nothing_is_made() {
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
fn propagators_none_carries_no_context() {
    let receiver = OtlpReceiver::start();
    run_exporting(&receiver, &[], &[("OTEL_PROPAGATORS", "none")]);
    let spans = receiver.spans();
    assert_ne!(
        named(&spans, "cut chunk").trace_id,
        named(&spans, "PUT object").trace_id
    );
}
