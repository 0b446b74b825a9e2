//! Secrets of every kind, secrets together and searched in all output, also of failures.
//!
//! ```text
//!   camera: password, token ─┐               ┌─► spans, events, points of metrics, resources
//!   server: password ────────┤               ├─► lines of all programs at debug, pages, arguments
//!   bucket: key, token ──────┼─► crispy up ──┼─► objects' metadata, messages, dead letters, files
//!   collector: header ───────┘               └─► output of a failing run
//! ```

use std::{fs, net::SocketAddr, path::Path};

use crispy_testbed::{
    GcsServer, HttpFault, HttpServer, ReceivedSpan,
    gcs::{Effect, Fault, Options},
};
use serde_json::json;
use tempfile::TempDir;

use crate::fixture::{
    Fixture, http,
    nats::MonitoredNats,
    program::Running,
    secrets::{Secrets, at_debug, credentials_file},
    traces::Traces,
    until, video,
};

const OF_CAMERA: &str = "cAmErA-1234";
const OF_LINK: &str = "lInK-tOkEn-1234";
const OF_SERVER: &str = "sErVeR-1234";
const OF_CLIENT: &str = "cLiEnT-1234";
const OF_PERSON: &str = "pErSoN-1234";
const OF_COLLECTOR: &str = "cOlLeCtOr-1234";
/// Prefix of tokens, Google's and the simulator's.
const BEARER: &str = "ya29.";

/// All admin pages of the three stages.
fn pages(up: &Running) -> String {
    let lines = up.stderr_with("admin pages");
    let addresses = lines.iter().filter_map(|line| {
        let (_, address) = line.split_once("address=")?;
        address.split(' ').next()?.parse::<SocketAddr>().ok()
    });
    let addresses: Vec<_> = addresses.collect();
    let paths = ["/metrics", "/readyz", "/livez", "/version"];
    let page = |address, path| {
        let (status, page) = http::get(address, path);
        format!("{status} {path}\n{}", String::from_utf8_lossy(&page))
    };
    let all = addresses.iter();
    all.flat_map(|address| paths.map(|path| page(address, path)))
        .collect()
}

/// A credentials file of a person, with the simulator's token URL.
fn user_credentials(bucket: &GcsServer) -> (TempDir, String) {
    let person = json!({
        "type": "authorized_user", "client_id": "id", "client_secret": OF_CLIENT,
        "refresh_token": OF_PERSON, "token_uri": bucket.token_url(),
    });
    credentials_file(&person.to_string())
}

/// A camera, a server, a bucket and a collector, each with its secret.
struct Everything {
    secrets: Secrets,
    fixture: Fixture,
    traces: Traces,
    nats: MonitoredNats,
    bucket: GcsServer,
    /// The credentials file of a person.
    person: (TempDir, String),
    camera: String,
    _shop: HttpServer,
}

impl Everything {
    fn new() -> Self {
        let fixture = Fixture::new();
        fs::create_dir(fixture.path("shop")).unwrap();
        fs::copy(video::many(30), fixture.path("shop/a.mp4")).unwrap();
        // `cam` and its password in HTTP's form.
        let guard = HttpFault::RequireAuthorization("Basic Y2FtOmNBbUVyQS0xMjM0");
        let shop = HttpServer::serve(&fixture.path("shop"), &[("/a.mp4", guard)]);
        let path = format!("/a.mp4?token={OF_LINK}");
        let bucket = GcsServer::start_with(Options {
            token_required: true,
            ..Options::default()
        });
        let users = format!("authorization {{ user: op, password: {OF_SERVER} }}");
        Self {
            secrets: Secrets::new([
                OF_CAMERA,
                OF_LINK,
                OF_SERVER,
                OF_CLIENT,
                OF_PERSON,
                OF_COLLECTOR,
                BEARER,
            ]),
            fixture,
            traces: Traces::receiver_only(),
            nats: MonitoredNats::start_with(&users),
            person: user_credentials(&bucket),
            bucket,
            camera: shop.url_with(&format!("cam:{OF_CAMERA}"), &path),
            _shop: shop,
        }
    }

    fn server(&self) -> String {
        self.nats.url_with(&format!("op:{OF_SERVER}"))
    }

    fn up(&self) -> Running {
        let up = self.fixture.up(&[("front", Path::new(&self.camera))]);
        let headers = format!("authorization={OF_COLLECTOR}");
        let base = format!("base_url={}", self.bucket.url());
        let up = up
            .replace_flag("--bucket", format!("gs://{}", GcsServer::BUCKET))
            .flag("--bucket-option", base)
            .flag("--nats-server", self.server())
            .flag("--window", "1s")
            .flag("--admin-listen", "127.0.0.1:0")
            .env("GOOGLE_APPLICATION_CREDENTIALS", &self.person.1)
            .env("OTEL_EXPORTER_OTLP_HEADERS", headers);
        self.traces.exported_by(at_debug(up)).start()
    }

    /// Checks the collector: it has successes and failures, no secret, and was sent its own header.
    #[track_caller]
    fn collector_has_no_secret(&self) {
        let receiver = self.traces.receiver();
        let spans = receiver.wait_for_spans(|spans| {
            let any = |is: &dyn Fn(&ReceivedSpan) -> bool| spans.iter().any(is);
            any(&|span| span.name == "GET object")
                && any(&|span| span.failed && span.error.contains("403"))
        });
        assert!(spans.iter().any(|span| !span.events.is_empty()));
        receiver.wait_for_points(|points| !points.is_empty());
        self.secrets.are_not_in_telemetry(&self.traces);
        let authorized =
            |headers: &crispy_testbed::Attributes| headers["authorization"] == OF_COLLECTOR;
        assert!(receiver.headers().iter().all(authorized));
    }
}

#[test]
fn no_secret_appears_anywhere_in_successes_and_failures() {
    let all = Everything::new();
    let Everything {
        secrets, bucket, ..
    } = &all;
    // One chunk is refused permanently, and some requests later all writes are.
    let refused = Fault::new(Effect::Status(413)).on_method("PUT").times(1);
    bucket.inject(refused.where_key(|key| key.ends_with("-0000000001.mp4")));
    bucket.inject(Fault::new(Effect::Status(403)).on_method("PUT").after(10));
    let mut up = all.up();
    up.until_stderr("answered 403");
    let mut shown = String::new();
    until("a stage is not ready", || {
        shown = pages(&up);
        shown.contains("503 /readyz")
    });
    secrets.are_not_in("the pages", shown.as_bytes());
    assert!(shown.contains("crispy_"), "{shown}");
    secrets.are_not_arguments_of_children(up.pid());
    bucket.clear_faults();
    // One chunk is a dead letter.
    let exited = up.end().with_code(52);
    assert!(!exited.stderr_with("DEBUG").is_empty(), "{exited}");
    secrets.are_not_in_output(&exited);
    all.collector_has_no_secret();

    let dead = all.fixture.program("crispy");
    let dead = dead.arguments(["dead", "show", "1"]);
    let letter = at_debug(dead.flag("--nats-server", all.server()));
    let letter = letter.run().with_code(0);
    assert!(letter.to_string().contains("413"), "{letter}");
    secrets.are_not_in_output(&letter);
    secrets.are_not_below(&all.nats.store());
    secrets.are_not_below(&all.fixture.path("."));
    let metadata = metadata(bucket);
    assert!(metadata.contains("traceparent"), "{metadata}");
    secrets.are_not_in("the objects' metadata", metadata.as_bytes());
}

/// The metadata of all objects.
fn metadata(bucket: &GcsServer) -> String {
    let keys = bucket.keys(GcsServer::BUCKET).unwrap();
    let of = |key| bucket.metadata(GcsServer::BUCKET, key);
    format!("{:?}", keys.iter().map(|key| of(key)).collect::<Vec<_>>())
}
