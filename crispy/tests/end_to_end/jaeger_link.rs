//! A session's Jaeger: the flags that choose it, and the link to a trace in it.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crispy_testbed::{HttpServer, OtlpReceiver};
use rustix::process::Signal;

use crate::fixture::{Fixture, UNREACHABLE, jaeger::Jaeger, program::Program, until, video};

fn up(fixture: &Fixture) -> Program {
    fixture.up(&[("front", &video::irregular())])
}

/// Forwards port 4317 of this machine, where a Jaeger receives spans. Fails if it is taken, as by a
/// real Jaeger.
fn forward_otlp_port(target: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 4317))?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let server = TcpStream::connect(target).expect("the receiver listens");
            let (from_client, from_server) = (client.try_clone(), server.try_clone());
            for (from, to) in [(from_client, server), (from_server, client)] {
                let (mut from, mut to) = (from.expect("a socket can be cloned"), to);
                thread::spawn(move || io::copy(&mut from, &mut to));
            }
        }
    });
    Ok(())
}

#[test]
fn a_running_jaeger_receives_the_traces_and_is_linked() {
    let jaeger = Jaeger::real_or_stand_in();
    let collector = jaeger.collector.trim_start_matches("http://").parse();
    // A real Jaeger has the port itself.
    if Jaeger::real().is_none() {
        forward_otlp_port(collector.unwrap()).expect("port 4317 is free");
    }
    for flag in ["--jaeger", "--jaeger=running"] {
        let fixture = Fixture::new();
        let session = up(&fixture).flag("--jaeger-url", &jaeger.url);
        let exited = session.arguments([flag]).run().with_code(0);
        has_link(&exited.output().summary, &jaeger);
    }
}

#[track_caller]
fn has_link(summary: &serde_json::Value, jaeger: &Jaeger) {
    let page = summary["trace"].as_str();
    let pages = format!("{}/trace/", jaeger.url);
    assert!(
        page.is_some_and(|page| page.starts_with(&pages)),
        "{summary}"
    );
}

#[test]
fn without_jaeger_only_the_plain_flag_is_an_error() {
    let fixture = Fixture::new();
    let session = || up(&fixture).flag("--jaeger-url", UNREACHABLE);
    session()
        .arguments(["--jaeger"])
        .run()
        .with_code(46)
        .with_message(&[UNREACHABLE, "docker run", "--jaeger=running"]);
    fixture.nothing_is_left_behind();
    let exited = session().arguments(["--jaeger=running"]).run().with_code(0);
    assert!(exited.output().summary["trace"].is_null(), "{exited}");
    let warnings = exited.stderr_with(" WARN ");
    assert!(warnings.is_empty(), "{exited}");
}

#[test]
fn a_configured_collector_takes_precedence_over_a_running_jaeger() {
    for flag in [None, Some("--jaeger=running")] {
        let (fixture, jaeger) = (Fixture::new(), Jaeger::real_or_stand_in());
        let session = up(&fixture)
            .flag("--jaeger-url", &jaeger.url)
            .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &jaeger.collector)
            .env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc");
        let session = flag
            .iter()
            .fold(session, |session, flag| session.arguments([*flag]));
        let exited = session.run().with_code(0);
        has_link(&exited.output().summary, &jaeger);
    }
}

#[test]
fn a_failed_session_links_the_trace_of_its_dead_letter() {
    let (fixture, jaeger) = (Fixture::new(), Jaeger::real_or_stand_in());
    let session = || {
        up(&fixture)
            .flag("--otlp-endpoint", &jaeger.collector)
            .flag("--jaeger-url", &jaeger.url)
            .env("OTEL_METRICS_EXPORTER", "none")
    };
    session().run().with_code(0);
    fixture.occupy_first_object();
    fs::remove_dir_all(fixture.path("data")).unwrap();
    let exited = session().run().with_code(52);
    let summary = exited.output().summary;
    has_link(&summary, &jaeger);
    let dead_letter = exited.stderr_with("dead letter");
    let page = summary["trace"].as_str().unwrap();
    let (_, id) = page.rsplit_once('/').unwrap();
    assert!(dead_letter[0].contains(id), "{page}: {exited}");
}

/// A Jaeger without traces.
fn empty_jaeger(fixture: &Fixture) -> HttpServer {
    let api = fixture.path("empty/api/v3");
    fs::create_dir_all(&api).unwrap();
    fs::write(api.join("services"), r#"{"services":[]}"#).unwrap();
    fs::write(api.join("traces"), r#"{"result":{}}"#).unwrap();
    HttpServer::serve(&fixture.path("empty"), &[])
}

#[test]
fn a_missing_trace_is_a_warning_and_its_search_can_be_stopped() {
    let collector = OtlpReceiver::start();
    let start = |fixture: &Fixture, jaeger: &HttpServer| {
        let session = up(fixture).flag("--otlp-endpoint", collector.url());
        session.flag("--jaeger-url", jaeger.url("/")).start()
    };
    let fixture = Fixture::new();
    let jaeger = empty_jaeger(&fixture);
    let exited = start(&fixture, &jaeger).end().with_code(0);
    let warnings = exited.stderr_with("Jaeger has no trace of this session");
    assert_eq!(warnings.len(), 1, "{exited}");
    assert!(warnings[0].contains("--jaeger-url"), "{exited}");

    let fixture = Fixture::new();
    let jaeger = empty_jaeger(&fixture);
    let running = start(&fixture, &jaeger);
    until("a search for a trace", || {
        let requests = jaeger.requests();
        requests.iter().any(|path| path == "/api/v3/traces")
    });
    running.signal(Signal::INT);
    let exited = running.end().with_code(0);
    // Without the signal the search takes three seconds.
    assert!(exited.took < Duration::from_secs(2), "{exited}");
}

#[test]
fn disabled_traces_are_a_warning_for_the_plain_flag() {
    let fixture = Fixture::new();
    let exited = up(&fixture)
        .arguments(["--jaeger"])
        .env("OTEL_SDK_DISABLED", "true")
        .run()
        .with_code(0);
    let warnings = exited.stderr_with("traces are disabled");
    assert_eq!(warnings.len(), 1, "{exited}");
    assert!(warnings[0].contains("OTEL_SDK_DISABLED=true"), "{exited}");
    assert!(exited.output().summary["trace"].is_null(), "{exited}");
}

#[test]
fn elapsed_time_excludes_waiting_for_a_silent_collector() {
    let fixture = Fixture::new();
    // The kernel accepts connections, and no request is answered.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let collector = format!("http://{}", silent.local_addr().unwrap());
    let started = Instant::now();
    let exited = up(&fixture)
        .flag("--otlp-endpoint", collector)
        .flag("--jaeger-url", UNREACHABLE)
        .run()
        .with_code(0);
    let took = started.elapsed().as_secs_f64();
    let summary = exited.output().summary;
    let elapsed = summary["elapsed_s"].as_f64().unwrap();
    assert!(elapsed > 0.0 && elapsed + 0.5 < took, "{elapsed} of {took}");
}
