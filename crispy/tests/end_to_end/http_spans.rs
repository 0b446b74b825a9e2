//! Spans of HTTP requests to a bucket, one for each attempt, by OpenTelemetry's conventions.

use crispy_testbed::{
    GcsServer, ReceivedSpan,
    gcs::{Effect, Fault, Options},
};

use crate::fixture::{
    Fixture,
    nats::uploaders_waiting,
    program::Running,
    traced_stages::TracedStages,
    traces::{Trace, Traces},
    until,
};

/// Stages with a simulated GCS bucket.
struct GcsStages {
    stages: TracedStages,
    bucket: GcsServer,
}

impl GcsStages {
    /// With an emulator, which needs no credentials.
    fn new() -> Self {
        let bucket = GcsServer::start();
        let emulator = vec![("STORAGE_EMULATOR_HOST", bucket.url().to_owned())];
        Self::with(bucket, emulator)
    }

    fn with(bucket: GcsServer, settings: Vec<(&'static str, String)>) -> Self {
        let url = format!("gs://{}", GcsServer::BUCKET);
        let stages = TracedStages::with_bucket(Fixture::new(), Traces::start(), url, settings);
        Self { stages, bucket }
    }

    /// Number of chunks in the bucket, without run states.
    fn chunks(&self) -> usize {
        let keys = self.bucket.keys(GcsServer::BUCKET).unwrap_or_default();
        keys.iter().filter(|key| key.ends_with(".mp4")).count()
    }

    /// Injects a fault into requests for the second chunk.
    fn inject(&self, effect: Effect, method: &'static str, times: usize) {
        let fault = Fault::new(effect).on_method(method).times(times);
        self.bucket.inject(fault.where_key(is_second));
    }

    /// An uploader that has checked its bucket and pulls, and an inspector.
    fn start(&self) -> (Running, Running) {
        let running = (self.stages.uploader().start(), self.stages.inspector());
        until("it pulls", || uploaders_waiting(&self.stages.server) > 0);
        running
    }

    /// Uploads and inspects everything. Returns the traces of all chunks, and of the second.
    #[track_caller]
    fn run(&self) -> (Vec<Trace>, Trace) {
        let _stages = (self.stages.uploader().start(), self.stages.inspector());
        self.stages.ingestor().run().with_code(0);
        let traces = self.stages.inspected(self.chunks());
        let mut of_second = traces.iter().filter(|trace| {
            let cut = trace.one("cut chunk");
            cut.attributes["sequence"] == "1"
        });
        let second = of_second.next().expect("there are two chunks").clone();
        (traces, second)
    }
}

fn is_second(key: &str) -> bool {
    key.ends_with("-0000000001.mp4")
}

/// Spans with a name, in order of time.
fn in_order<'a>(trace: &'a Trace, name: &str) -> Vec<&'a ReceivedSpan> {
    let mut spans: Vec<_> = trace.all(name).collect();
    spans.sort_by_key(|span| span.start_ns);
    spans
}

/// Status, kind of error and resends; empty if absent.
fn result(span: &ReceivedSpan) -> [&str; 3] {
    [
        "http.response.status_code",
        "error.type",
        "http.request.resend_count",
    ]
    .map(|key| span.attributes.get(key).map_or("", String::as_str))
}

#[test]
fn every_request_has_its_method_server_and_status() {
    let google = GcsStages::new();
    let (traces, _) = google.run();
    let port = google.bucket.address().port().to_string();
    for trace in &traces {
        for (method, status) in [("PUT", "200"), ("GET", "206")] {
            let span = trace.one(&format!("{method} object"));
            let attribute = |key: &str| span.attributes[key].as_str();
            assert_eq!(span.kind, "client");
            assert_eq!(attribute("http.request.method"), method);
            assert_eq!(
                (attribute("server.address"), attribute("server.port")),
                ("127.0.0.1", &*port)
            );
            assert_eq!(result(span), [status, "", ""]);
            assert!(!span.failed, "{span:?}");
            for number in ["server.port", "http.response.status_code"] {
                assert!(span.numbers.contains(number), "{span:?}");
            }
            // URLs usually contain signatures and tokens.
            let is_url = |(key, value): (&String, &String)| {
                key.starts_with("url.") || value.contains("http://") || value.contains('?')
            };
            assert!(!span.attributes.iter().any(is_url), "{span:?}");
        }
    }
}

#[test]
fn a_refused_request_is_a_span_and_counted_by_the_next() {
    let google = GcsStages::new();
    google.inject(Effect::Status(503), "PUT", 1);
    let (_, second) = google.run();
    let [refused, stored] = in_order(&second, "PUT object")[..] else {
        panic!("{:?}", second.names())
    };
    assert_eq!(result(refused), ["503", "503", ""]);
    assert!(
        refused.failed && refused.error.contains("answered 503"),
        "{refused:?}"
    );
    assert_eq!(result(stored), ["200", "", "1"]);
    assert!(!stored.failed && stored.numbers.contains("http.request.resend_count"));
    let process = second.one("process chunks.{camera}");
    assert!(!process.failed, "{process:?}");
    for put in [refused, stored] {
        assert_eq!(put.parent_id, process.span_id);
    }
}

#[test]
fn a_redelivery_looks_for_the_object_without_an_error() {
    let google = GcsStages::new();
    // All attempts of the first delivery, each followed by a look at the object, and the first look
    // of the second delivery.
    google.inject(Effect::Status(500), "PUT", 4);
    let missing = Fault::new(Effect::Status(502))
        .on_method("HEAD")
        .after(4)
        .times(1);
    google.bucket.inject(missing.where_key(is_second));
    let (_, second) = google.run();
    let puts = in_order(&second, "PUT object");
    let puts: Vec<_> = puts.iter().map(|put| result(put)).collect();
    assert_eq!(
        puts,
        [
            ["500", "500", ""],
            ["500", "500", "1"],
            ["500", "500", "2"],
            ["500", "500", "3"],
            ["200", "", ""]
        ]
    );
    let heads = in_order(&second, "HEAD object");
    let heads: Vec<_> = heads
        .iter()
        .map(|head| (result(head), head.failed))
        .collect();
    assert_eq!(
        heads,
        [(["502", "502", ""], true), (["404", "", "1"], false)]
    );
    let process = in_order(&second, "process chunks.{camera}");
    let outcomes: Vec<_> = process
        .iter()
        .map(|span| span.attributes["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, ["retried", "acked"]);
}

#[test]
fn a_refused_read_has_its_error_and_is_repeated() {
    let google = GcsStages::new();
    google.inject(Effect::Status(503), "GET", 1);
    let (_, second) = google.run();
    let gets = in_order(&second, "GET object");
    let gets: Vec<_> = gets.iter().map(|get| (result(get), get.failed)).collect();
    assert_eq!(gets, [(["503", "503", ""], true), (["206", "", ""], false)]);
    assert_eq!(second.count("process uploaded.{camera}"), 2);
}

#[test]
fn an_unreachable_bucket_is_a_connect_error() {
    let google = GcsStages::new();
    let (mut uploader, _inspector) = google.start();
    google.bucket.go_down();
    let ingestor = google.stages.ingestor().start();
    uploader.until_stderr("dependency unavailable");
    google.bucket.come_back();
    ingestor.end().with_code(0);
    let traces = google.stages.inspected(google.chunks());
    let mut puts = traces.iter().flat_map(|trace| trace.all("PUT object"));
    let failed = puts.find(|put| put.failed).expect("one request failed");
    assert_eq!(result(failed), ["", "connect", ""]);
    assert!(failed.error.contains("connect to"), "{failed:?}");
}

#[test]
fn an_expired_token_costs_one_counted_resend() {
    let bucket = GcsServer::start_with(Options {
        token_required: true,
        ..Options::default()
    });
    let settings = vec![
        ("GCE_METADATA_HOST", bucket.address().to_string()),
        ("HOME", "/nonexistent".to_owned()),
        ("CRISPY_BUCKET_OPTION", format!("base_url={}", bucket.url())),
    ];
    let google = GcsStages::with(bucket, settings);
    let _stages = google.start();
    google.bucket.expire_tokens();
    google.stages.ingestor().run().with_code(0);
    let traces = google.stages.inspected(google.chunks());
    let puts: Vec<_> = traces.iter().map(|t| result(t.one("PUT object"))).collect();
    assert!(puts.contains(&["200", "", "1"]), "{puts:?}");
    assert!(puts.iter().all(|put| put[0] == "200"), "{puts:?}");
}
