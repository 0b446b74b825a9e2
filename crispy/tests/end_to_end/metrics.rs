//! Metrics in Prometheus' format, and readiness pages with reasons.

use std::{collections::BTreeSet, net::TcpListener};

use crispy_telemetry::Kind;
use crispy_testbed::{
    gcs::{Effect, Fault},
    promtool_check_metrics,
};

use crate::fixture::{
    Fixture,
    nats::delete_stream,
    stages::{Stages, values},
    until, video,
};

#[test]
fn readiness_pages_give_the_reason_and_recover() {
    let mut stages = Stages::start(&[]);
    stages.until_unready("uploader", "dependency unavailable");
    for ready in ["ingestor", "inspector"] {
        stages.until_ready(ready);
    }

    for (stream, stages_of_it) in [
        ("CRISPY_UPLOADED", ["ingestor", "inspector"]),
        ("CRISPY_CHUNKS", ["uploader", "uploader"]),
    ] {
        delete_stream(&stages.server.url(), stream);
        for name in stages_of_it {
            stages.until_unready(name, stream);
        }
        stages.fixture.set_up(&stages.server);
        for name in stages_of_it {
            until(&format!("{name} has {stream} again"), || {
                !stages.get(name, "/readyz").1.contains(stream)
            });
        }
    }

    stages.server.kill();
    for name in ["ingestor", "uploader", "inspector"] {
        stages.until_unready(name, "no connection");
        assert_eq!(stages.get(name, "/livez").0, 200, "{name} is alive");
    }
    stages.server.restart();
    for name in ["ingestor", "inspector"] {
        stages.until_ready(name);
    }

    stages.bucket.come_back();
    stages.until_ready("uploader");
    let exited = stages.take("ingestor").end().with_code(0);
    for words in ["upload events unavailable", "upload events available again"] {
        assert!(!exited.stderr_with(words).is_empty(), "{exited}");
    }
}

#[test]
fn an_idle_uploader_is_unready_while_its_bucket_fails() {
    let mut stages = Stages::new(&[]);
    stages.bucket.inject(Fault::new(Effect::Status(503)));
    stages.add_uploader();
    stages.until_unready("uploader", "bucket: the bucket has failed");
    stages.bucket.clear_faults();
    stages.until_ready("uploader");
}

#[test]
fn metrics_under_load_are_valid_and_in_the_catalogue() {
    let mut stages = Stages::start(&[]);
    let spooled = |name: &str| format!(r#"{name}{{camera="front",site="local"}}"#);
    stages.until_value(
        "ingestor",
        &spooled("crispy_ingestor_chunks_total"),
        |chunks| chunks == 30.0,
    );
    stages.until_value(
        "ingestor",
        r#"crispy_outbox_chunks{outcome="waiting"}"#,
        |chunks| chunks == 30.0,
    );
    let page = stages.get("ingestor", "/metrics").1;
    let shown = values(&page);
    assert_eq!(shown[spooled("crispy_ingestor_runs_total").as_str()], 1.0);
    for positive in ["crispy_spool_usage_bytes", "crispy_spool_age_seconds"] {
        assert!(shown[positive] > 0.0, "{positive}: {page}");
    }
    assert_eq!(shown["crispy_spool_limit_bytes"], (10_u64 << 30) as f64);
    let mut pages = vec![page];
    // The file has been read to its end.
    assert!(!shows_camera_up(&pages[0]));

    stages.until_value(
        "uploader",
        r#"crispy_stream_age_seconds{stream="CRISPY_CHUNKS"}"#,
        |age| age > 0.0,
    );
    stages.bucket.come_back();
    stages.take("ingestor").end().with_code(0);
    stages.until_value("uploader", "crispy_upload_latency_seconds_count", |count| {
        count >= 30.0
    });
    stages.until_value(
        "inspector",
        r#"crispy_inspector_inspections_total{camera="front",outcome="agrees",site="local"}"#,
        |count| count >= 30.0,
    );
    for name in ["uploader", "inspector"] {
        // The queue's numbers come with the next poll of the server. The other metric shows that
        // the stage exists.
        for row in ["crispy_queue_pending", "crispy_queue_breaker_open"] {
            let series = format!(r#"{row}{{stage="{name}"}}"#);
            stages.until_value(name, &series, |value| value == 0.0);
        }
        pages.push(stages.get(name, "/metrics").1);
    }
    let put = r#"crispy_uploader_put_duration_seconds_count{outcome="stored"}"#;
    assert!(values(&pages[1])[put] >= 30.0, "{}", pages[1]);
    assert!(values(&pages[2])["crispy_inspector_io_bytes_total"] > 0.0);
    for page in &pages {
        is_valid_for_prometheus(page);
        is_in_the_catalogue(page);
    }
}

fn is_valid_for_prometheus(page: &str) {
    let complaints = promtool_check_metrics(page);
    let ours: Vec<_> = complaints
        .lines()
        .filter(|line| !is_of_opentelemetry(line))
        .collect();
    assert!(ours.is_empty(), "{ours:?}: {page}");
}

/// Two of OpenTelemetry's own names (process.thread.count) have an ending that Prometheus reserves
/// for histograms.
fn is_of_opentelemetry(complaint: &str) -> bool {
    let named = ["process_thread_count", "process_unix_file_descriptor_count"];
    complaint.is_empty()
        || named
            .iter()
            .any(|name| complaint.starts_with(&format!("{name} ")))
}

fn shows_camera_up(page: &str) -> bool {
    page.contains("crispy_camera_up{")
}

/// Checks that every series has the name and exactly the labels of a row: rules and dashboard use
/// these.
fn is_in_the_catalogue(page: &str) {
    for series in values(page).into_keys() {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        if name == "target_info" {
            continue;
        }
        let labels = labels.trim_end_matches('}').split(',');
        let labels = labels.filter_map(|label| label.split_once('='));
        let shown: BTreeSet<_> = labels.map(|(label, _)| label).collect();
        let mut rows = crispy_telemetry::catalogue::ALL.iter();
        let row = rows.find(|row| match row.kind {
            Kind::Histogram(_) => ["_bucket", "_sum", "_count"]
                .iter()
                .any(|part| name == row.prometheus_name() + part),
            _ => name == row.prometheus_name(),
        });
        let row = row.unwrap_or_else(|| panic!("{name} is not in the catalogue"));
        let mut known: BTreeSet<_> = row.attributes.iter().copied().collect();
        if name.ends_with("_bucket") {
            known.insert("le");
        }
        assert_eq!(shown, known, "the labels of {series}");
    }
}

#[test]
fn each_child_of_crispy_up_has_admin_pages() {
    let fixture = Fixture::new();
    let up = fixture.up(&[("front", &video::irregular())]);
    let up = up
        .env("CRISPY_LOG_FORMAT", "json")
        .env("CRISPY_LOG_LEVEL", "info");
    let exited = up.flag("--admin-listen", "127.0.0.1:0").run().with_code(0);
    assert_eq!(exited.stderr_with("admin pages").len(), 3, "{exited}");
}

#[test]
fn each_child_of_crispy_up_has_a_prometheus_port() {
    let first = three_free_ports();
    let up = |fixture: &Fixture| {
        fixture
            .up(&[("front", &video::irregular())])
            .env("CRISPY_LOG_FORMAT", "json")
            .env("CRISPY_LOG_LEVEL", "info")
            .env("OTEL_METRICS_EXPORTER", "prometheus")
            .env("OTEL_EXPORTER_PROMETHEUS_HOST", "127.0.0.1")
            .env("OTEL_EXPORTER_PROMETHEUS_PORT", first.to_string())
    };
    let fixture = Fixture::new();
    let exited = up(&fixture).run().with_code(0);
    for port in first..first + 3 {
        let page = format!("127.0.0.1:{port}");
        assert_eq!(exited.stderr_with(&page).len(), 1, "{page}: {exited}");
    }
    let fixture = Fixture::new();
    let taken = format!("127.0.0.1:{}", first + 1);
    let _taken = TcpListener::bind(&taken).unwrap();
    up(&fixture)
        .run()
        .with_code(42)
        .with_message(&[&taken, "--admin-listen"]);
    fixture.nothing_is_left_behind();
    assert!(!fixture.path("data").exists());
}

#[test]
fn an_unusable_admin_address_is_an_error_before_the_start() {
    let fixture = Fixture::new();
    for (address, advice) in [("bogus", "127.0.0.1:9464"), ("127.0.0.1:65534", "65533")] {
        fixture
            .up(&[("front", &video::irregular())])
            .flag("--admin-listen", address)
            .run()
            .with_code(13)
            .with_message(&["--admin-listen", address, advice]);
        fixture.nothing_is_left_behind();
        assert!(!fixture.path("data").exists());
    }
}

/// The first of three consecutive free ports.
fn three_free_ports() -> u16 {
    let free = |port: &u16| (*port..port + 3).all(|port| bound(port).is_ok());
    (20_000..30_000).step_by(3).find(free).unwrap()
}

fn bound(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port))
}
