//! Metrics at a collector and for Prometheus.

use crispy_testbed::OtlpReceiver;

use super::{pages::address, pages::get, reporter, run_exporting};

#[test]
fn metrics_are_pushed_with_their_attributes() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = OtlpReceiver::start();
        run_exporting(
            &receiver,
            &["--chunks", "5"],
            &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)],
        );
        let points = receiver.points();
        let chunks = points
            .iter()
            .find(|point| point.name == "crispy.ingestor.chunks");
        let chunks = chunks.expect("the counter");
        assert_eq!(
            (chunks.value, chunks.attributes["camera"].as_str()),
            (5.0, "front")
        );
        assert_eq!(chunks.resource["service.name"], "crispy-reporter");
        for name in [
            "process.cpu.time",
            "process.memory.usage",
            "process.thread.count",
            "process.unix.file_descriptor.count",
            "process.uptime",
        ] {
            let found = points.iter().find(|point| point.name == name);
            assert!(
                found.is_some_and(|point| point.value > 0.0),
                "{name}: {points:#?}"
            );
        }
    }
}

#[test]
fn metrics_are_pushed_at_the_interval_that_was_set() {
    let receiver = OtlpReceiver::start();
    let url = receiver.url();
    let _rung = reporter(
        &["--otlp-endpoint", &url],
        &[("OTEL_METRIC_EXPORT_INTERVAL", "50")],
    );
    let uptimes = |points: &[crispy_testbed::ReceivedPoint]| {
        points
            .iter()
            .filter(|point| point.name == "process.uptime")
            .count()
            >= 3
    };
    receiver.wait_for_points(uptimes);
}

#[test]
fn prometheus_reads_the_metrics_of_the_catalogue() {
    let mut program = reporter(
        &[
            "--chunks",
            "5",
            "--warnings",
            "30",
            "--admin-listen",
            "127.0.0.1:0",
        ],
        &[],
    );
    let address = address(&mut program);
    program.line_with("reported");
    let (status, page) = get(address, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "# TYPE crispy_ingestor_chunks_total counter",
        r#"crispy_ingestor_chunks_total{camera="front"} 5"#,
        r#"crispy_log_lines_total{level="warn"} 30"#,
        "# TYPE process_memory_usage_bytes gauge",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
    let catalogue = crispy_telemetry::catalogue::ALL.iter();
    let names: Vec<_> = catalogue.map(|row| row.prometheus_name()).collect();
    let shown = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for name in shown.filter_map(|line| line.split(' ').next()) {
        assert!(
            name == "target_info" || names.iter().any(|known| known == name),
            "{name} is not in the catalogue"
        );
    }
}

#[test]
fn standard_variables_open_the_pages() {
    let mut program = reporter(
        &[],
        &[
            ("OTEL_METRICS_EXPORTER", "prometheus"),
            ("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1"),
            ("OTEL_EXPORTER_PROMETHEUS_PORT", "0"),
        ],
    );
    let address = address(&mut program);
    assert_eq!(get(address, "/metrics").0, 200);
}

#[test]
fn without_metrics_there_is_no_page() {
    let mut program = reporter(
        &["--admin-listen", "127.0.0.1:0"],
        &[("OTEL_METRICS_EXPORTER", "none")],
    );
    let address = address(&mut program);
    let (status, page) = get(address, "/metrics");
    assert!(
        status == 404 && page.contains("OTEL_METRICS_EXPORTER=none"),
        "{page}"
    );
}
