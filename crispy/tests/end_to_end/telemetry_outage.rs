//! A collector that hangs, refuses, is slow or wants to be left alone: the work goes on as if nobody had asked for telemetry.
//!
//! Nothing here measures speed. An export may take ten minutes where work must not wait for one, and a test waits for two.

use std::time::{Duration, Instant};

use crispy_testbed::{FaultProxy, OtlpReceiver, Traffic};
use rustix::process::Signal;

use crate::fixture::{
    Fixture,
    program::Exited,
    stages::{Stages, values},
    until, video,
};

/// Every chunk of a scene: those of [`Stages::start`].
const CHUNKS: f64 = 30.0;

/// The end of a program adds a second at most to its work; this is what a busy machine may make of it, and less than the SDK's own time-outs, of
/// which the least is 5 s: those are what it must not wait for.
const BOUND: Duration = Duration::from_millis(4500);

const PROTOCOLS: [&str; 2] = ["grpc", "http/protobuf"];

/// The stages that work until they are told to stop.
const WORKERS: [&str; 2] = ["uploader", "inspector"];

/// What the log says of an outage, whichever signal has met it first; of a collector that is only too slow; and when it is over.
const BEGINS: &str = "collector unreachable";
const CROWDED: &str = "collector overloaded";
const ENDS: &str = "collector reachable again";

/// Traces alone: then there is one end of an outage to wait for.
const TRACES_ALONE: (&str, &str) = ("OTEL_METRICS_EXPORTER", "prometheus");

/// A collector behind a network with faults.
struct Collector {
    receiver: OtlpReceiver,
    proxy: FaultProxy,
}

impl Collector {
    fn start() -> Self {
        let receiver = OtlpReceiver::start();
        let proxy = FaultProxy::new(receiver.address());
        Self { receiver, proxy }
    }

    /// Three stages that tell it of their work ten times a second, at most five spans at once, and of their metrics as often.
    fn stages(&self, protocol: &str, timeout: &str, more: &[(&'static str, &str)]) -> Stages {
        let url = format!("http://{}", self.proxy.address());
        let mut variables = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", timeout),
            ("OTEL_METRICS_EXPORTER", "otlp,prometheus"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5"),
        ];
        variables.extend(more);
        Stages::start(&variables)
    }
}

/// All chunks are cut, and those of the uploader wait for its bucket.
fn until_cut(stages: &Stages) {
    let cut = r#"crispy_ingestor_chunks_total{camera="front",site="local"}"#;
    stages.until_value("ingestor", cut, |chunks| chunks == CHUNKS);
}

/// Has the bucket come back, and waits for what follows from that: every chunk is inspected and out of the spool, and the ingestor ends.
fn until_inspected(stages: &mut Stages) -> Exited {
    stages.bucket.come_back();
    let ingestor = ends_in_time(stages, "ingestor");
    stages.fixture.spool_is_empty();
    let inspected =
        r#"crispy_inspector_inspections_total{camera="front",outcome="agrees",site="local"}"#;
    stages.until_value("inspector", inspected, |chunks| chunks >= CHUNKS);
    ingestor
}

/// Holds a program's end to its bound: from the word that its work is over.
fn ends_in_time(stages: &mut Stages, name: &str) -> Exited {
    stages.running_mut(name).until_stderr("stopped");
    let said = Instant::now();
    let ended = stages.take(name).end().with_code(0);
    let took = said.elapsed();
    assert!(took < BOUND, "{name} took {took:?}");
    ended
}

fn workers_end_in_time(mut stages: Stages) {
    for name in WORKERS {
        stages.running(name).signal(Signal::TERM);
        stages.running_mut(name).until_stderr("drained");
        ends_in_time(&mut stages, name);
    }
}

/// Spans that a program has lost so far.
fn lost(stages: &Stages, name: &str, reason: &str) -> f64 {
    let page = stages.get(name, "/metrics").1;
    let series = format!(r#"crispy_telemetry_lost_total{{reason="{reason}"}}"#);
    values(&page)
        .get(series.as_str())
        .copied()
        .unwrap_or_default()
}

fn lines(stages: &Stages, name: &str, words: &str) -> usize {
    stages.running(name).stderr_with(words).len()
}

#[test]
fn a_hanging_collector_delays_no_chunk_and_no_exit() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        let room = ("OTEL_BSP_MAX_QUEUE_SIZE", "20");
        // Whoever waited for an export would wait longer than this test does.
        let mut stages = collector.stages(protocol, "600000", &[room]);
        until_cut(&stages);
        collector.receiver.wait_for_spans(|spans| !spans.is_empty());
        collector.proxy.set(Traffic::BlackHole);
        until_inspected(&mut stages);
        for name in WORKERS {
            until(&format!("{name} counts what finds no room"), || {
                lost(&stages, name, "queue_full") > 0.0
            });
            // No export has ended, well or not: nobody knows more than that.
            assert_eq!(lost(&stages, name, "export"), 0.0, "{protocol}: {name}");
            assert_eq!(lines(&stages, name, "collector"), 0, "{protocol}: {name}");
        }
        workers_end_in_time(stages);
    }
}

#[test]
fn a_collector_outage_is_logged_once_at_start_and_end() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        let mut stages = collector.stages(protocol, "200", &[TRACES_ALONE]);
        until_cut(&stages);
        collector.receiver.wait_for_spans(|spans| !spans.is_empty());
        collector.proxy.set(Traffic::BlackHole);
        until_inspected(&mut stages);
        for name in WORKERS {
            // One failed export is five spans: this is many.
            until(&format!("{name} counts what does not arrive"), || {
                lost(&stages, name, "export") > 40.0
            });
            assert_eq!(lines(&stages, name, BEGINS), 1, "{protocol}: {name}");
        }
        // It is over, and there is something new to tell.
        collector.proxy.set(Traffic::Pass);
        stages.add_ingestor("till", &video::irregular());
        for name in WORKERS {
            stages.running_mut(name).until_stderr(ENDS);
            assert_eq!(lines(&stages, name, BEGINS), 1, "{protocol}: {name}");
            assert_eq!(lines(&stages, name, ENDS), 1, "{protocol}: {name}");
        }
        collector.proxy.set(Traffic::BlackHole);
        workers_end_in_time(stages);
    }
}

#[test]
fn a_refusing_or_throttling_collector_is_logged_once() {
    for (protocol, refuses) in [("grpc", true), ("grpc", false), ("http/protobuf", false)] {
        let collector = Collector::start();
        match refuses {
            true => collector.proxy.set(Traffic::Cut),
            false => collector.receiver.throttle(true),
        }
        let mut stages = collector.stages(protocol, "10000", &[]);
        until_cut(&stages);
        let ingestor = until_inspected(&mut stages);
        assert_eq!(ingestor.stderr_with(BEGINS).len(), 1, "{ingestor}");
        for name in WORKERS {
            until(&format!("{name} counts what does not arrive"), || {
                lost(&stages, name, "export") > 40.0
            });
            assert_eq!(lines(&stages, name, "collector"), 1, "{protocol}: {name}");
        }
        assert!(collector.receiver.spans().is_empty());
        workers_end_in_time(stages);
    }
}

#[test]
fn spans_beyond_a_slow_collectors_rate_are_counted() {
    let collector = Collector::start();
    collector.proxy.set(Traffic::Delay(Duration::from_secs(1)));
    let room = ("OTEL_BSP_MAX_QUEUE_SIZE", "10");
    let mut stages = collector.stages("grpc", "60000", &[room]);
    until_cut(&stages);
    until_inspected(&mut stages);
    for name in WORKERS {
        until(&format!("{name} counts what finds no room"), || {
            lost(&stages, name, "queue_full") > 0.0
        });
        stages.running_mut(name).until_stderr(CROWDED);
        assert_eq!(lost(&stages, name, "export"), 0.0, "{name}");
        assert_eq!(lines(&stages, name, "collector"), 1, "{name}");
    }
    collector.receiver.wait_for_spans(|spans| {
        let told = |service: &str| {
            let mut services = spans.iter().map(|span| &span.resource["service.name"]);
            services.any(|told| told == service)
        };
        told("crispy-uploader") && told("crispy-inspector")
    });
    workers_end_in_time(stages);
}

#[test]
fn a_session_ends_soon_despite_a_silent_collector() {
    for protocol in PROTOCOLS {
        let collector = Collector::start();
        collector.proxy.set(Traffic::BlackHole);
        let fixture = Fixture::new();
        let up = fixture.up(&[("front", &video::many(30))]);
        let up = up.arguments(["--window", "1s"]);
        let url = format!("http://{}", collector.proxy.address());
        let up = up.env("OTEL_EXPORTER_OTLP_ENDPOINT", url);
        let up = up.env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        let mut up = up.env("OTEL_BSP_SCHEDULE_DELAY", "100").start();
        up.until_stdout_lines(30);
        let inspected = Instant::now();
        let ended = up.end().with_code(0);
        let took = inspected.elapsed();
        // Its stages end one after the other, and each may wait for a second.
        assert!(took < 2 * BOUND, "{protocol} took {took:?}: {ended}");
        assert_eq!(ended.output().count("chunks"), 30, "{ended}");
    }
}
