//! What the daemons show of themselves: metrics that Prometheus takes, and pages that say why there is no work done.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use testbed::{
    GcsServer,
    gcs::{Fault, Harm},
    prometheus_complaints,
};

use crate::house::{
    House,
    program::{Program, Running},
    server::{Monitored, delete_stream},
    until, video,
};

/// The three stages, each with its pages.
struct Stages {
    house: House,
    server: Monitored,
    bucket: GcsServer,
    running: Vec<(&'static str, Running, SocketAddr)>,
}

impl Stages {
    /// Where stages can be started.
    fn none() -> Self {
        let stages = Self {
            house: House::new(),
            server: Monitored::start(),
            bucket: GcsServer::start(),
            running: Vec::new(),
        };
        stages.set_up();
        stages
    }

    /// A bucket that is away, so that the ingestor does not end before it was looked at.
    fn start() -> Self {
        let mut stages = Self::none();
        stages.add_uploader();
        let inspector = stages.program("crispy-inspector");
        let inspector = inspector.flag("--bucket", bucket_url());
        stages.add("inspector", inspector);
        // One that starts asks its bucket.
        stages.until_ready("uploader");
        stages.bucket.go_down();
        let source = format!("front={}", video::many(30).display());
        let spool = stages.house.path("spool");
        let ingestor = stages.program("crispy-ingestor").flag("--spool", spool);
        let ingestor = ingestor.flag("--camera", source);
        stages.add("ingestor", ingestor.arguments(["--window", "1s"]));
        stages
    }

    fn add_uploader(&mut self) {
        let uploader = self.program("crispy-uploader");
        let uploader = uploader.flag("--bucket", bucket_url());
        let uploader = uploader.flag("--spool", self.house.path("spool"));
        self.add("uploader", uploader);
    }

    fn set_up(&self) {
        let crispy = self.house.program("crispy").arguments(["setup"]);
        crispy
            .flag("--nats-server", self.server.url())
            .run()
            .with_code(0);
    }

    fn program(&self, name: &str) -> Program {
        let program = self.house.program(name);
        program
            .flag("--nats-server", self.server.url())
            .flag("--admin-listen", "127.0.0.1:0")
            .env("CRISPY_LOG_FORMAT", "text")
            .env("STORAGE_EMULATOR_HOST", self.bucket.url())
    }

    fn add(&mut self, name: &'static str, program: Program) {
        let mut running = program.start();
        running.until_stderr("admin pages");
        let line = running.stderr_with("admin pages").remove(0);
        let (_, address) = line.split_once("address=").unwrap();
        let address = address.split(' ').next().unwrap().parse().unwrap();
        self.running.push((name, running, address));
    }

    fn get(&self, name: &str, path: &str) -> (u16, String) {
        let stage = self.running.iter().find(|(stage, ..)| *stage == name);
        get(stage.unwrap().2, path)
    }

    fn until_ready(&self, name: &str) {
        until(&format!("{name} is ready"), || {
            self.get(name, "/readyz").0 == 200
        });
    }

    /// Waits until it is not ready, for a reason with these words.
    fn until_unready(&self, name: &str, words: &str) {
        until(&format!("{name} says {words:?}"), || {
            let (status, reasons) = self.get(name, "/readyz");
            status == 503 && reasons.contains(words)
        });
    }

    /// The value of a series, once there is one that `holds`.
    fn until_value(&self, name: &str, series: &str, holds: impl Fn(f64) -> bool) {
        until(&format!("{name} shows {series}"), || {
            let page = self.get(name, "/metrics").1;
            values(&page).get(series).is_some_and(|value| holds(*value))
        });
    }

    fn end(&mut self, name: &str) -> Running {
        let place = self.running.iter().position(|(stage, ..)| *stage == name);
        self.running.remove(place.unwrap()).1
    }
}

fn bucket_url() -> String {
    format!("gs://{}", GcsServer::BUCKET)
}

fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    (status.parse().unwrap(), page.to_owned())
}

fn values(page: &str) -> HashMap<&str, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.rsplit_once(' '));
    pairs
        .filter_map(|(series, value)| Some((series, value.parse().ok()?)))
        .collect()
}

#[test]
fn pages_say_why_a_stage_cannot_work_and_that_it_can_again() {
    let mut stages = Stages::start();
    stages.until_unready("uploader", "away");
    for ready in ["ingestor", "inspector"] {
        stages.until_ready(ready);
    }

    for (stream, blind) in [
        ("CRISPY_UPLOADED", ["ingestor", "inspector"]),
        ("CRISPY_CHUNKS", ["uploader", "uploader"]),
    ] {
        delete_stream(&stages.server.url(), stream);
        for name in blind {
            stages.until_unready(name, stream);
        }
        stages.set_up();
        for name in blind {
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
    stages.end("ingestor").end().with_code(0);
}

#[test]
fn an_uploader_whose_bucket_fails_at_its_start_is_not_ready_before_it_does_not_though_it_has_no_work()
 {
    let mut stages = Stages::none();
    stages.bucket.inject(Fault::new(Harm::Status(503)));
    stages.add_uploader();
    stages.until_unready("uploader", "bucket: it has failed");
    stages.bucket.clear_faults();
    stages.until_ready("uploader");
}

#[test]
fn what_daemons_under_load_show_is_as_prometheus_wants_it_and_in_the_catalogue() {
    let mut stages = Stages::start();
    let spooled = |name: &str| format!(r#"{name}{{camera="front"}}"#);
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
    assert!(!shown_up(&pages[0]));

    stages.until_value(
        "uploader",
        r#"crispy_stream_age_seconds{stream="CRISPY_CHUNKS"}"#,
        |age| age > 0.0,
    );
    stages.bucket.come_back();
    stages.end("ingestor").end().with_code(0);
    stages.until_value("uploader", "crispy_upload_latency_seconds_count", |count| {
        count >= 30.0
    });
    stages.until_value(
        "inspector",
        r#"crispy_inspector_inspections_total{camera="front",outcome="agrees"}"#,
        |count| count >= 30.0,
    );
    // The server's word of the queue comes with the next look.
    for (name, pending) in [("uploader", "uploader"), ("inspector", "inspector")] {
        let pending = format!(r#"crispy_queue_pending{{stage="{pending}"}}"#);
        stages.until_value(name, &pending, |pending| pending == 0.0);
        pages.push(stages.get(name, "/metrics").1);
    }
    let put = r#"crispy_uploader_put_duration_seconds_count{outcome="stored"}"#;
    assert!(values(&pages[1])[put] >= 30.0, "{}", pages[1]);
    assert!(values(&pages[2])["crispy_inspector_io_bytes_total"] > 0.0);
    for page in &pages {
        let complaints = prometheus_complaints(page);
        let ours: Vec<_> = complaints.lines().filter(|line| !is_theirs(line)).collect();
        assert!(ours.is_empty(), "{ours:?}: {page}");
        only_of_the_catalogue(page);
    }
}

/// Two of OpenTelemetry's own names (process.thread.count) end as Prometheus would have histograms only.
fn is_theirs(complaint: &str) -> bool {
    let named = ["process_thread_count", "process_unix_file_descriptor_count"];
    complaint.is_empty()
        || named
            .iter()
            .any(|name| complaint.starts_with(&format!("{name} ")))
}

fn shown_up(page: &str) -> bool {
    page.contains("crispy_camera_up{")
}

fn only_of_the_catalogue(page: &str) {
    let rows = instruments::catalogue::ALL;
    let names = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    for name in names.filter_map(|line| line.split(' ').next()) {
        let known = rows.iter().any(|row| row.prometheus_name() == name);
        assert!(
            known || name == "target_info",
            "{name} is not in the catalogue"
        );
    }
}

#[test]
fn each_child_of_crispy_up_has_its_pages() {
    let house = House::new();
    let up = house.up(&[("front", &video::irregular())]);
    let up = up
        .env("CRISPY_LOG_FORMAT", "json")
        .env("CRISPY_LOG_LEVEL", "info");
    let ended = up.flag("--admin-listen", "127.0.0.1:0").run().with_code(0);
    assert_eq!(ended.stderr_with("admin pages").len(), 3, "{ended}");
}
