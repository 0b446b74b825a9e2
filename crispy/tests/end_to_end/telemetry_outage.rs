//! Collectors that hang, refuse, throttle or are slow: the work goes on as without telemetry.
//!
//! Nothing here measures speed. In tests of independence an export may take ten minutes, and the
//! test waits for two.

use std::time::{Duration, Instant};

use crispy_testbed::{FaultProxy, OtlpReceiver, Traffic};
use rustix::process::Signal;

use crate::fixture::{
    Fixture,
    program::Exited,
    stages::{Stages, values},
    until, video,
};

/// Chunks of [`Stages::start`].
const CHUNKS: f64 = 30.0;

/// Limit of a program's exit. It takes at most a second longer with telemetry; this leaves room for
/// a busy machine, and is below the SDK's own timeouts, the shortest of which is 5 s.
const EXIT_LIMIT: Duration = Duration::from_millis(4500);

const PROTOCOLS: [&str; 2] = ["grpc", "http/protobuf"];

/// The stages that run until a signal.
const WORKERS: [&str; 2] = ["uploader", "inspector"];

/// Log messages at the start of an outage, of a collector that is too slow, and at the end.
const BEGINS: &str = "collector unreachable";
const CROWDED: &str = "collector overloaded";
const ENDS: &str = "collector reachable again";

/// Traces only, so that the end of an outage is logged once.
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

    /// Three stages that export spans ten times a second, at most five at once, and metrics as
    /// often.
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

/// Waits until all chunks are cut; the uploader waits for its bucket.
fn until_cut(stages: &Stages) {
    let cut = r#"crispy_ingestor_chunks_total{camera="front",site="local"}"#;
    stages.until_value("ingestor", cut, |chunks| chunks == CHUNKS);
}

/// Restores the bucket, and waits until every chunk is inspected and freed, and the ingestor ends.
fn until_inspected(stages: &mut Stages) -> Exited {
    stages.bucket.come_back();
    let ingestor = exits_in_time(stages, "ingestor");
    stages.fixture.spool_is_empty();
    let inspected =
        r#"crispy_inspector_inspections_total{camera="front",outcome="agrees",site="local"}"#;
    stages.until_value("inspector", inspected, |chunks| chunks >= CHUNKS);
    ingestor
}

/// Checks the time from the end of a program's work to its exit.
fn exits_in_time(stages: &mut Stages, name: &str) -> Exited {
    stages.running_mut(name).until_stderr("stopped");
    let stopped = Instant::now();
    let exited = stages.take(name).end().with_code(0);
    let took = stopped.elapsed();
    assert!(took < EXIT_LIMIT, "{name} took {took:?}");
    exited
}

fn workers_exit_in_time(mut stages: Stages) {
    for name in WORKERS {
        stages.running(name).signal(Signal::TERM);
        stages.running_mut(name).until_stderr("worker stopped");
        exits_in_time(&mut stages, name);
    }
}

/// Number of spans that a program has lost.
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
        // An export's timeout is longer than this test.
        let mut stages = collector.stages(protocol, "600000", &[room]);
        until_cut(&stages);
        collector.receiver.wait_for_spans(|spans| !spans.is_empty());
        collector.proxy.set(Traffic::BlackHole);
        until_inspected(&mut stages);
        for name in WORKERS {
            until(&format!("{name} counts dropped spans"), || {
                lost(&stages, name, "queue_full") > 0.0
            });
            // No export has ended, so there is nothing to log.
            assert_eq!(lost(&stages, name, "export"), 0.0, "{protocol}: {name}");
            assert_eq!(lines(&stages, name, "collector"), 0, "{protocol}: {name}");
        }
        workers_exit_in_time(stages);
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
            until(&format!("{name} counts failed exports"), || {
                lost(&stages, name, "export") > 40.0
            });
            assert_eq!(lines(&stages, name, BEGINS), 1, "{protocol}: {name}");
        }
        // The outage is over, and there are new spans.
        collector.proxy.set(Traffic::Pass);
        stages.add_ingestor("till", &video::irregular());
        for name in WORKERS {
            stages.running_mut(name).until_stderr(ENDS);
            assert_eq!(lines(&stages, name, BEGINS), 1, "{protocol}: {name}");
            assert_eq!(lines(&stages, name, ENDS), 1, "{protocol}: {name}");
        }
        collector.proxy.set(Traffic::BlackHole);
        workers_exit_in_time(stages);
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
            until(&format!("{name} counts failed exports"), || {
                lost(&stages, name, "export") > 40.0
            });
            assert_eq!(lines(&stages, name, "collector"), 1, "{protocol}: {name}");
        }
        assert!(collector.receiver.spans().is_empty());
        workers_exit_in_time(stages);
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
        until(&format!("{name} counts dropped spans"), || {
            lost(&stages, name, "queue_full") > 0.0
        });
        stages.running_mut(name).until_stderr(CROWDED);
        assert_eq!(lost(&stages, name, "export"), 0.0, "{name}");
        assert_eq!(lines(&stages, name, "collector"), 1, "{name}");
    }
    collector.receiver.wait_for_spans(|spans| {
        let has_service = |service: &str| {
            let mut services = spans.iter().map(|span| &span.resource["service.name"]);
            services.any(|other| other == service)
        };
        has_service("crispy-uploader") && has_service("crispy-inspector")
    });
    workers_exit_in_time(stages);
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
        let exited = up.end().with_code(0);
        let took = inspected.elapsed();
        // Its stages end one after the other, and each may take a second.
        assert!(took < 2 * EXIT_LIMIT, "{protocol} took {took:?}: {exited}");
        assert_eq!(exited.output().count("chunks"), 30, "{exited}");
    }
}
