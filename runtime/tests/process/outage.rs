//! A collector that is down, silent, slow or flooded: the work goes on.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use crispy_testbed::{FaultProxy, OtlpReceiver, Traffic};
use rustix::process::Signal;

use super::reporter;

/// Exports often, so that a test need not wait.
const OFTEN: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "20");
/// Traces alone, so that there is one outage to hear of.
const TRACES_ALONE: (&str, &str) = ("OTEL_METRICS_EXPORTER", "none");

/// Longer than the flush, shorter than the SDK's own time-outs, of which the least is 5 s.
const BOUND: Duration = Duration::from_secs(4);

fn lines_of(program: &mut super::program::Program) -> Vec<String> {
    program.lines.by_ref().map_while(Result::ok).collect()
}

#[test]
fn a_silent_collector_stalls_nothing_and_the_end_is_bounded() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = OtlpReceiver::start();
        let proxy = FaultProxy::new(receiver.address());
        proxy.set(Traffic::BlackHole);
        let url = format!("http://{}", proxy.address());
        let flags = [
            "--chunks",
            "5000",
            "--otlp-endpoint",
            &url,
            "--log-chunks",
            "problems",
        ];
        let mut program = reporter(&flags, &[("OTEL_EXPORTER_OTLP_PROTOCOL", protocol), OFTEN]);
        program.line_with("told");
        program.signal(Signal::TERM);
        program.line_with("stopped");
        let asked = Instant::now();
        lines_of(&mut program);
        assert_eq!(program.code(), Some(0));
        let took = asked.elapsed();
        assert!(took < BOUND, "{protocol}: {took:?}");
    }
}

#[test]
fn an_outage_is_one_line_and_its_end_another() {
    for protocol in ["grpc", "http/protobuf"] {
        let receiver = OtlpReceiver::start();
        let proxy = FaultProxy::new(receiver.address());
        proxy.set(Traffic::Cut);
        let url = format!("http://{}", proxy.address());
        let variables = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "100"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "30"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ];
        let mut program = reporter(&["--otlp-endpoint", &url], &variables);
        let warning = program.line_with("do not reach the collector");
        assert!(warning.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{warning}");
        let failures = proxy.connections();
        let patience = Instant::now() + Duration::from_secs(60);
        while proxy.connections() < failures + 10 && Instant::now() < patience {
            std::thread::yield_now();
        }
        proxy.set(Traffic::Pass);
        receiver.wait_for_points(|points| !points.is_empty());
        program.signal(Signal::TERM);
        let lines = lines_of(&mut program);
        let about = |words| lines.iter().filter(|line| line.contains(words)).count();
        assert_eq!(about("do not reach"), 0, "it was said: {lines:#?}");
        assert_eq!(about("reach the collector again"), 1, "{lines:#?}");
    }
}

#[test]
fn what_a_flooded_collector_does_not_take_is_counted_and_said_once() {
    let receiver = OtlpReceiver::start();
    let proxy = FaultProxy::new(receiver.address());
    proxy.set(Traffic::Delay(Duration::from_millis(300)));
    let url = format!("http://{}", proxy.address());
    let flags = [
        "--chunks",
        "3000",
        "--ends",
        "--otlp-endpoint",
        &url,
        "--log-chunks",
        "problems",
    ];
    let queue = ("OTEL_BSP_MAX_QUEUE_SIZE", "100");
    let mut program = reporter(&flags, &[queue, TRACES_ALONE, OFTEN]);
    let lines = lines_of(&mut program);
    let said: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("more traces than"))
        .collect();
    assert_eq!(said.len(), 1, "{lines:#?}");
    assert!(said[0].contains("OTEL_BSP_MAX_QUEUE_SIZE"));
    let lost = lines
        .iter()
        .find(|line| line.contains("did not take are lost"));
    assert!(
        lost.is_some_and(|line| line.contains(r#""lost":"#)),
        "{lines:#?}"
    );
    assert!(receiver.spans().len() < 3000 * 4);
}

#[test]
fn a_collector_that_is_down_costs_the_end_no_more_than_two_seconds() {
    // A port where nobody listens.
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", nobody.local_addr().expect("its address"));
    drop(nobody);
    let mut program = reporter(&["--ends", "--otlp-endpoint", &url], &[]);
    program.line_with("stopped");
    let stopped = Instant::now();
    let lines = lines_of(&mut program);
    assert_eq!(program.code(), Some(0));
    assert!(stopped.elapsed() < BOUND, "{:?}", stopped.elapsed());
    let said = |words| lines.iter().filter(|line| line.contains(words)).count();
    // Of traces and metrics alike, and at the end what that has cost.
    assert_eq!(said("do not reach the collector"), 1, "{lines:#?}");
    assert_eq!(said("collector"), 2, "{lines:#?}");
}

#[test]
fn a_collector_that_cannot_be_reached_is_told_with_the_reason_over_either_protocol() {
    for protocol in ["grpc", "http/protobuf"] {
        // Nobody listens there: port 1 is the kernel's to refuse.
        let flags = ["--otlp-endpoint", "http://of:house@127.0.0.1:1"];
        let variables = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            OFTEN,
            TRACES_ALONE,
        ];
        let warning = reporter(&flags, &variables).line_with("do not reach the collector");
        assert!(warning.contains("refused"), "{warning}");
        assert!(!warning.contains("house"), "{warning}");
    }
}
