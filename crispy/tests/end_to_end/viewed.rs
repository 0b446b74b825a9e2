//! A session and the Jaeger that its traces are looked at in: found, named or started, dead or alive.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crispy_testbed::{HttpServer, OtlpReceiver};
use rustix::process::Signal;

use crate::house::{
    House,
    jaeger::Jaeger,
    program::{Program, Running},
    until, video,
};

/// Nobody listens there: port 1 is the kernel's to refuse.
const NOBODY: &str = "http://127.0.0.1:1";

/// As much of a Jaeger as a session needs: it has no traces, and of each that it is asked for one span that failed. It ends when it has given
/// as many answers as it was told, and takes no spans.
const STAND_IN: &str = r#"#!/usr/bin/env python3
import http.server, json, os, sys

print("first words", file=sys.stderr)
if os.environ["ANSWERS"] == "0":
    sys.exit("cannot unmarshal the configuration\n")
endpoint = json.load(open(sys.argv[2]))["extensions"]["jaeger_query"]["http"]["endpoint"]


class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known, _, trace = self.path.partition("/api/v3/traces/")
        span = {"traceId": trace, "spanId": "1" * 16, "name": "process", "status": {"code": 2},
                "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
        found = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]} if trace else {}
        said = json.dumps({"result": found, "services": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


host, port = endpoint.split(":")
server = http.server.HTTPServer((host, int(port)), Api)
for _ in range(int(os.environ["ANSWERS"])):
    server.handle_request()
"#;

/// One at a time: each looks first whether the customary ports are free, and takes them then.
static PORTS: Mutex<()> = Mutex::new(());

fn ports() -> MutexGuard<'static, ()> {
    PORTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session that starts the stand-in, which gives so many answers.
fn with_jaeger(house: &House, answers: &str) -> Program {
    let programs = house.path("programs");
    fs::create_dir_all(&programs).unwrap();
    let jaeger = programs.join("jaeger");
    fs::write(&jaeger, STAND_IN).unwrap();
    fs::set_permissions(&jaeger, fs::Permissions::from_mode(0o755)).unwrap();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([programs].into_iter().chain(env::split_paths(&path)));
    up(house)
        .flag("--jaeger-url", NOBODY)
        .arguments(["--jaeger"])
        .flag("--nats-server-bin", crispy_testbed::nats_server_binary())
        .env("PATH", path.unwrap())
        .env("ANSWERS", answers)
}

fn up(house: &House) -> Program {
    house.up(&[("front", &video::irregular())])
}

/// A house in whose bucket somebody else's bytes lie where the first chunk belongs.
fn with_foreign_bytes() -> House {
    let house = House::new();
    up(&house).run().with_code(0);
    let foreign = house.bucket().one_run().remove(0).path;
    for file in house.bucket().files() {
        fs::remove_file(file).unwrap();
    }
    fs::write(foreign, "somebody else's").unwrap();
    fs::remove_dir_all(house.path("data")).unwrap();
    house
}

#[test]
fn a_jaeger_that_dies_while_it_starts_has_said_why_in_its_log() {
    let (house, _ports) = (House::new(), ports());
    let log = house.path("data/jaeger/jaeger.log");
    let named = log.display().to_string();
    with_jaeger(&house, "0")
        .run()
        .with_code(50)
        .saying(&[&named, ": cannot unmarshal the configuration"]);
    let log = fs::read_to_string(log).unwrap();
    assert!(log.starts_with("first words\n"), "{log}");
    house.nothing_is_half_done();
}

#[test]
fn a_jaeger_that_dies_meanwhile_is_missed_once_and_the_work_goes_on() {
    let (house, _ports) = (House::new(), ports());
    let ended = with_jaeger(&house, "1").run().with_code(0);
    let missed = ended.stderr_with("jaeger ended");
    let [missed] = missed[..] else {
        panic!("{ended}")
    };
    assert!(missed.contains("start it again"), "{missed}");
    assert!(ended.answers().summary["trace"].is_null(), "{ended}");
}

#[test]
fn a_session_that_fails_says_so_before_its_jaeger_waits_and_shows_the_chunk_that_was_given_up() {
    let (house, _ports) = (with_foreign_bytes(), ports());
    let mut running = with_jaeger(&house, "1000").start();
    running.until_stderr("Jaeger stays until Ctrl-C: ");
    let place = |running: &Running, words: &str| {
        let all = running.stderr_with("");
        all.iter().position(|line| line.starts_with(words))
    };
    let said = (place(&running, "error: "), place(&running, "Jaeger stays"));
    assert!(said.0.is_some() && said.0 < said.1, "{said:?}");
    running.signal(Signal::INT);
    let ended = running.end().with_code(52).saying(&["error: "]);
    let given_up = ended.stderr_with("given up, and kept in a dead letter");
    let trace = given_up[0].split("trace_id").nth(1).unwrap();
    let page = ended.answers().summary["trace"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, shown) = page.rsplit_once('/').unwrap();
    assert!(trace.contains(shown), "{page} is not of {trace}");
    let stays = format!("Jaeger stays until Ctrl-C: {page}");
    assert_eq!(ended.stderr_with("Jaeger stays"), [&stays]);
}

#[test]
fn a_collector_of_traces_alone_is_where_a_session_looks_them_up_and_no_jaeger_goes_over_it() {
    for which in [[].as_slice(), &["--jaeger=running"]] {
        let (house, jaeger) = (House::new(), Jaeger::real_or_stand_in());
        let session = up(&house)
            .flag("--jaeger-url", &jaeger.url)
            .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &jaeger.collector)
            .env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc");
        let session = which
            .iter()
            .fold(session, |session, flag| session.arguments([flag]));
        let ended = session.run().with_code(0);
        let page = ended.answers().summary["trace"].as_str().map(str::to_owned);
        assert!(
            page.is_some_and(|page| page.starts_with(&jaeger.url)),
            "{ended}"
        );
    }
}

/// A Jaeger that has nothing.
fn empty_jaeger(house: &House) -> HttpServer {
    let api = house.path("empty/api/v3");
    fs::create_dir_all(&api).unwrap();
    fs::write(api.join("services"), r#"{"services":[]}"#).unwrap();
    fs::write(api.join("traces"), r#"{"result":{}}"#).unwrap();
    HttpServer::serve(&house.path("empty"), &[])
}

#[test]
fn a_trace_that_is_not_there_is_missed_aloud_and_whoever_waits_for_it_may_leave() {
    let collector = OtlpReceiver::start();
    let start = |house: &House, jaeger: &HttpServer| {
        let session = up(house).flag("--otlp-endpoint", collector.url());
        session.flag("--jaeger-url", jaeger.url("/")).start()
    };
    let house = House::new();
    let jaeger = empty_jaeger(&house);
    let ended = start(&house, &jaeger).end().with_code(0);
    let missed = ended.stderr_with("has no trace of this session");
    assert_eq!(missed.len(), 1, "{ended}");
    assert!(missed[0].contains("--jaeger-url"), "{ended}");

    let house = House::new();
    let jaeger = empty_jaeger(&house);
    let running = start(&house, &jaeger);
    until("a trace is searched for", || {
        jaeger
            .requests()
            .iter()
            .any(|path| path == "/api/v3/traces")
    });
    running.signal(Signal::INT);
    let ended = running.end().with_code(0);
    // It would wait for three.
    assert!(
        ended.took < Duration::from_secs(2),
        "{:?}: {ended}",
        ended.took
    );
}

#[test]
fn where_no_traces_are_made_none_are_waited_for_and_a_wish_for_jaeger_is_told_why_not() {
    let house = House::new();
    let ended = up(&house)
        .arguments(["--jaeger"])
        .env("OTEL_SDK_DISABLED", "true")
        .run()
        .with_code(0);
    let told = ended.stderr_with("OTEL_SDK_DISABLED=true forbids");
    assert_eq!(told.len(), 1, "{ended}");
    assert!(ended.answers().summary["trace"].is_null(), "{ended}");
}

#[test]
fn a_session_is_as_long_as_its_work_and_not_as_what_a_silent_collector_is_waited_for() {
    let house = House::new();
    // The kernel takes connections, and nobody ever answers.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let collector = format!("http://{}", silent.local_addr().unwrap());
    let began = Instant::now();
    let ended = up(&house)
        .flag("--otlp-endpoint", collector)
        .flag("--jaeger-url", NOBODY)
        .run()
        .with_code(0);
    let took = began.elapsed().as_secs_f64();
    let summary = ended.answers().summary;
    let elapsed = summary["elapsed_s"].as_f64().unwrap();
    assert!(elapsed > 0.0 && elapsed + 0.5 < took, "{elapsed} of {took}");
}
