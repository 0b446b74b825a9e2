//! Secrets of every kind, planted all at once and looked for wherever they could come out, also while things go wrong.
//!
//! ```text
//!   camera: password, token ─┐               ┌─► spans, events, points of metrics, resources
//!   server: password ────────┤               ├─► lines of all programs at debug, pages, arguments
//!   bucket: key, token ──────┼─► crispy up ──┼─► objects' metadata, messages and dead letters, files
//!   collector: header ───────┘               └─► what a run says that fails
//! ```

use std::{fs, net::SocketAddr, path::Path};

use nkeys::KeyPair;
use serde_json::json;
use tempfile::TempDir;
use testbed::{
    AzureServer, Fault, GcsServer, HttpServer, S3Server,
    gcs::{Fault as Harmed, Harm, Options},
    private_key,
};

use crate::house::{
    House, http,
    planted::Planted,
    program::{Program, Running},
    server::Monitored,
    traces::Traces,
    until, video,
};

const OF_CAMERA: &str = "cAmErA-1234";
const OF_LINK: &str = "lInK-tOkEn-1234";
const OF_SERVER: &str = "sErVeR-1234";
const OF_CLIENT: &str = "cLiEnT-1234";
const OF_PERSON: &str = "pErSoN-1234";
const OF_COLLECTOR: &str = "cOlLeCtOr-1234";
/// So begin the simulator's tokens, as Google's do.
const BEARER: &str = "ya29.";

fn at_debug(program: Program) -> Program {
    program
        .env("CRISPY_LOG_FORMAT", "text")
        .env("CRISPY_LOG_LEVEL", "debug")
}

/// A file of credentials, where nobody looks for secrets.
fn aside(text: &str) -> (TempDir, String) {
    let folder = TempDir::with_prefix("crispy-aside-").unwrap();
    let path = folder.path().join("credentials");
    fs::write(&path, text).unwrap();
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}

/// All pages of the three stages.
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

/// A person's file, whose tokens the simulator gives.
fn of_a_person(bucket: &GcsServer) -> (TempDir, String) {
    let person = json!({
        "type": "authorized_user", "client_id": "id", "client_secret": OF_CLIENT,
        "refresh_token": OF_PERSON, "token_uri": bucket.token_url(),
    });
    aside(&person.to_string())
}

#[test]
fn no_secret_of_camera_server_bucket_or_collector_is_told_by_anybody_whatever_goes_wrong() {
    let planted = Planted::new([
        OF_CAMERA,
        OF_LINK,
        OF_SERVER,
        OF_CLIENT,
        OF_PERSON,
        OF_COLLECTOR,
        BEARER,
    ]);
    let (house, traces) = (House::new(), Traces::received());
    let users = format!("authorization {{ user: op, password: {OF_SERVER} }}");
    let nats = Monitored::start_with(&users);
    let bucket = GcsServer::start_with(Options {
        token_required: true,
        ..Options::default()
    });
    let (_aside, person) = of_a_person(&bucket);
    // One chunk is refused for good, and after some more requests nobody may write.
    let refused = Harmed::new(Harm::Status(413)).of("PUT").times(1);
    bucket.inject(refused.where_key(|key| key.ends_with("-0000000001.mp4")));
    bucket.inject(Harmed::new(Harm::Status(403)).of("PUT").after(10));
    fs::create_dir(house.path("shop")).unwrap();
    fs::copy(video::many(30), house.path("shop/a.mp4")).unwrap();
    // `cam` with its password, as HTTP says it.
    let guard = Fault::Wants("Basic Y2FtOmNBbUVyQS0xMjM0");
    let shop = HttpServer::serve(&house.path("shop"), &[("/a.mp4", guard)]);
    let source = shop.url_with(
        &format!("cam:{OF_CAMERA}"),
        &format!("/a.mp4?token={OF_LINK}"),
    );
    let up = house
        .up(&[("front", Path::new(&source))])
        .instead("--bucket", format!("gs://{}", GcsServer::BUCKET))
        .flag("--bucket-option", format!("base_url={}", bucket.url()))
        .flag("--nats-server", nats.url_with(&format!("op:{OF_SERVER}")))
        .flag("--window", "1s")
        .flag("--admin-listen", "127.0.0.1:0")
        .env("GOOGLE_APPLICATION_CREDENTIALS", person)
        .env(
            "OTEL_EXPORTER_OTLP_HEADERS",
            format!("authorization={OF_COLLECTOR}"),
        );
    let mut up = traces.of(at_debug(up)).start();
    up.until_stderr("answered 403");
    let mut shown = String::new();
    until("a page says that the bucket is away", || {
        shown = pages(&up);
        shown.contains("503 /readyz")
    });
    planted.is_not_in("the pages", shown.as_bytes());
    assert!(shown.contains("crispy_"), "{shown}");
    planted.is_no_argument_of_children_of(up.pid());
    bucket.clear_faults();
    // One chunk was given up.
    let ended = up.end().with_code(52);
    assert!(!ended.stderr_with("DEBUG").is_empty(), "{ended}");
    planted.is_not_said_by(&ended);

    let spans = traces.receiver().spans_when(|spans| {
        spans.iter().any(|span| span.name == "GET object")
            && spans
                .iter()
                .any(|span| span.failed && span.error.contains("403"))
    });
    assert!(spans.iter().any(|span| !span.events.is_empty()));
    traces.receiver().points_when(|points| !points.is_empty());
    planted.is_not_told_to(&traces);
    let authorized = |headers: &testbed::Attributes| headers["authorization"] == OF_COLLECTOR;
    assert!(traces.receiver().headers().iter().all(authorized));

    let dead = house.program("crispy").arguments(["dead", "show", "1"]);
    let dead = dead.flag("--nats-server", nats.url_with(&format!("op:{OF_SERVER}")));
    let letter = at_debug(dead).run().with_code(0);
    assert!(letter.to_string().contains("413"), "{letter}");
    planted.is_not_said_by(&letter);
    planted.is_not_below(&nats.store());
    planted.is_not_below(&house.path("."));
    let metadata = metadata(&bucket);
    assert!(metadata.contains("traceparent"), "{metadata}");
    planted.is_not_in("the objects' metadata", metadata.as_bytes());
}

/// The metadata of all objects.
fn metadata(bucket: &GcsServer) -> String {
    let keys = bucket.keys(GcsServer::BUCKET).unwrap();
    let of = |key| bucket.metadata(GcsServer::BUCKET, key);
    format!("{:?}", keys.iter().map(|key| of(key)).collect::<Vec<_>>())
}

#[test]
fn no_way_into_a_server_tells_its_secret_whether_it_leads_in_or_not() {
    let user = KeyPair::new_user();
    let (public, seed) = (user.public_key(), user.seed().unwrap());
    let (_aside, nkey) = aside(&seed);
    let (_creds_aside, creds) = aside(&format!(
        "-----BEGIN NATS USER JWT-----\n{OF_PERSON}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    ));
    let (_junk_aside, junk) = aside(OF_CLIENT);
    let planted = Planted::new([OF_SERVER, OF_PERSON, OF_CLIENT, &seed]);
    let of_token = format!("authorization {{ token: {OF_SERVER} }}");
    let of_nkey = format!("authorization {{ users: [{{ nkey: {public} }}] }}");
    for (config, name, value, lets_in) in [
        (&of_token, "NATS_TOKEN", OF_SERVER, true),
        (&of_token, "NATS_TOKEN", OF_CLIENT, false),
        (&of_nkey, "NATS_NKEY", &nkey, true),
        (&of_nkey, "NATS_TOKEN", OF_CLIENT, false),
        (&of_token, "NATS_NKEY", &nkey, false),
        (&of_token, "NATS_CREDS", &creds, false),
        (&of_token, "NATS_CREDS", &junk, false),
        (&of_token, "NATS_NKEY", &junk, false),
    ] {
        let (house, server) = (House::new(), Monitored::start_with(config));
        let up = house.up(&[("front", &video::irregular())]);
        let up = up.flag("--nats-server", server.url()).env(name, value);
        let ended = at_debug(up).run();
        assert_eq!(ended.status.success(), lets_in, "{name}: {ended}");
        planted.is_not_said_by(&ended);
        planted.is_not_below(&house.path("."));
    }
    let of_user = format!("authorization {{ user: op, password: {OF_SERVER} }}");
    for (word, lets_in) in [(OF_SERVER, true), (OF_CLIENT, false)] {
        let (house, server) = (House::new(), Monitored::start_with(&of_user));
        let up = house.up(&[("front", &video::irregular())]);
        let up = up.flag("--nats-server", server.url_with(&format!("op:{word}")));
        let ended = at_debug(up).run();
        assert_eq!(ended.status.success(), lets_in, "{ended}");
        planted.is_not_said_by(&ended);
    }
}

/// What `crispy up` says and sends about a bucket, at debug, is without `planted`, whether the bucket lets it in or not.
#[track_caller]
fn tells_nothing(planted: &Planted, bucket: &str, settings: &[(&str, &str)], lets_in: bool) {
    let (house, traces) = (House::new(), Traces::received());
    let up = house.up(&[("front", &video::irregular())]);
    let up = at_debug(up.instead("--bucket", bucket));
    let up = settings
        .iter()
        .fold(up, |up, (name, value)| up.env(name, value));
    let ended = traces.of(up).run();
    assert_eq!(ended.status.success(), lets_in, "{ended}");
    planted.is_not_said_by(&ended);
    planted.is_not_below(&house.path("."));
    if lets_in {
        planted.is_not_told_to(&traces);
    } else {
        assert!(!ended.stderr.is_empty());
    }
}

#[test]
fn no_key_of_a_bucket_of_amazons_or_azures_is_told_whether_it_opens_or_not() {
    let planted = Planted::new([OF_CLIENT, OF_PERSON]);
    let amazon = S3Server::start();
    let keys = |url| {
        [
            ("AWS_ENDPOINT_URL", url),
            ("AWS_ACCESS_KEY_ID", "robot"),
            ("AWS_SECRET_ACCESS_KEY", OF_CLIENT),
            ("AWS_SESSION_TOKEN", OF_PERSON),
        ]
    };
    let url = amazon.url();
    tells_nothing(&planted, "s3://crispy-bucket", &keys(&url), true);
    tells_nothing(&planted, "s3://of-others", &keys(&url), false);

    let azure = AzureServer::start();
    let wrong = "d3JvbmcgYW5kIHN0aWxsIGEgc2VjcmV0";
    let planted = Planted::new([AzureServer::ACCOUNT_KEY, wrong]);
    for (key, lets_in) in [(AzureServer::ACCOUNT_KEY, true), (wrong, false)] {
        let url = azure.url();
        let keys = [
            ("AZURE_STORAGE_ENDPOINT", &*url),
            ("AZURE_STORAGE_ACCOUNT_NAME", AzureServer::ACCOUNT),
            ("AZURE_STORAGE_ACCOUNT_KEY", key),
        ];
        tells_nothing(&planted, "az://crispy-bucket", &keys, lets_in);
    }
}

#[test]
fn no_private_key_of_a_service_account_nor_what_it_signs_is_told_whether_it_is_believed_or_not() {
    let key = private_key();
    // Some line of it, and how a signed token begins: `{"alg":` in base64.
    let line = key.lines().nth(5).unwrap();
    let planted = Planted::new([line, "eyJhbGciOi"]);
    let robot = json!({
        "type": "service_account", "client_email": "robot@project.example", "private_key_id": "the-key",
        "private_key": key, "project_id": "p", "client_id": "1", "token_uri": "http://127.0.0.1:1/token",
    });
    let (_aside, file) = aside(&robot.to_string());
    for lets_in in [true, false] {
        let bucket = GcsServer::start_with(Options {
            token_required: !lets_in,
            ..Options::default()
        });
        let base = format!("base_url={}", bucket.url());
        let settings = [
            ("GOOGLE_APPLICATION_CREDENTIALS", &*file),
            ("CRISPY_BUCKET_OPTION", &base),
        ];
        let url = format!("gs://{}", GcsServer::BUCKET);
        tells_nothing(&planted, &url, &settings, lets_in);
    }
}
