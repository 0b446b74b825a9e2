//! A collector that is down, silent, slow or overloaded: the work goes on.

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

use crispy_testbed::{FaultProxy, OtlpReceiver, Traffic};
use rustix::process::Signal;

use super::reporter;

/// Exports often, so that a test need not wait.
const OFTEN: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "20");
/// Traces alone, so that there is one outage to report.
const TRACES_ALONE: (&str, &str) = ("OTEL_METRICS_EXPORTER", "none");

/// Longer than the flush, shorter than the SDK's own time-outs, of which the least is 5 s.
const BOUND: Duration = Duration::from_secs(4);

fn lines_of(program: &mut super::program::Program) -> Vec<String> {
    program.lines.by_ref().map_while(Result::ok).collect()
}

#[test]
fn a_silent_collector_blocks_neither_work_nor_end() {
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
        program.line_with("reported");
        program.signal(Signal::TERM);
        program.line_with("stopped");
        let stopped = Instant::now();
        lines_of(&mut program);
        assert_eq!(program.code(), Some(0));
        let took = stopped.elapsed();
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
        let warning = program.line_with("collector unreachable");
        assert!(warning.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{warning}");
        let failures = proxy.connections();
        let deadline = Instant::now() + Duration::from_secs(60);
        while proxy.connections() < failures + 10 && Instant::now() < deadline {
            std::thread::yield_now();
        }
        proxy.set(Traffic::Pass);
        receiver.wait_for_points(|points| !points.is_empty());
        program.signal(Signal::TERM);
        let lines = lines_of(&mut program);
        let about = |words| lines.iter().filter(|line| line.contains(words)).count();
        assert_eq!(about("unreachable"), 0, "a second line: {lines:#?}");
        assert_eq!(about("collector reachable again"), 1, "{lines:#?}");
    }
}

#[test]
fn an_overload_is_one_line_and_losses_are_counted() {
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
    let overloads: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("collector overloaded"))
        .collect();
    assert_eq!(overloads.len(), 1, "{lines:#?}");
    assert!(overloads[0].contains("OTEL_BSP_MAX_QUEUE_SIZE"));
    let lost = lines.iter().find(|line| line.contains("spans lost before"));
    assert!(
        lost.is_some_and(|line| line.contains(r#""lost":"#)),
        "{lines:#?}"
    );
    assert!(receiver.spans().len() < 3000 * 4);
}

#[test]
fn a_collector_that_is_down_does_not_delay_the_end() {
    // A port without a listener.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    drop(listener);
    let mut program = reporter(&["--ends", "--otlp-endpoint", &url], &[]);
    program.line_with("stopped");
    let stopped = Instant::now();
    let lines = lines_of(&mut program);
    assert_eq!(program.code(), Some(0));
    assert!(stopped.elapsed() < BOUND, "{:?}", stopped.elapsed());
    let count = |words| lines.iter().filter(|line| line.contains(words)).count();
    // One for traces and metrics together, and one for the lost spans.
    assert_eq!(count("collector unreachable"), 1, "{lines:#?}");
    assert_eq!(count("collector"), 2, "{lines:#?}");
}

#[test]
fn an_outage_is_logged_with_its_cause() {
    for protocol in ["grpc", "http/protobuf"] {
        // Port 1 has no listener.
        let flags = ["--otlp-endpoint", "http://of:password@127.0.0.1:1"];
        let variables = [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            OFTEN,
            TRACES_ALONE,
        ];
        let warning = reporter(&flags, &variables).line_with("collector unreachable");
        assert!(warning.contains("refused"), "{warning}");
        assert!(!warning.contains("password"), "{warning}");
    }
}
