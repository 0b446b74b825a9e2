//! `crispy trace`: its queries, its output and its exit codes, with real and bad servers.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
};

use serde_json::{Value, json};

use crate::fixture::{
    Fixture, UNREACHABLE,
    jaeger::{self, Jaeger, RECORDED, RECORDED_CHUNK},
    program::{Exited, Program},
    video,
};

/// The key of the recorded chunk's object.
const KEY: &str =
    "v1/demo/front/2026/11/22/19/1795376284197-4440000-01M82C7XJ5HSDAXZ4F9DVKKH71-0000000003.mp4";

fn trace(fixture: &Fixture, url: &str, query: &str) -> Program {
    let trace = fixture.program("crispy").arguments(["trace", query]);
    trace.flag("--jaeger-url", url)
}

fn json_lines(exited: &Exited) -> Vec<Value> {
    let lines = exited.stdout.iter();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_trace_is_found_by_each_form_of_query() {
    let fixture = Fixture::new();
    let url = jaeger::recorded();
    for query in [RECORDED, RECORDED_CHUNK, KEY] {
        let drawn = trace(&fixture, &url, query).run().with_code(0);
        assert_eq!(drawn.stdout[0], format!("chunk  {RECORDED_CHUNK}"));
        assert_eq!(drawn.stdout[1], format!("trace  {url}/trace/{RECORDED}"));
        assert_eq!(drawn.stdout.last().unwrap(), "cut to inspected  95 ms");
        let jsonl = trace(&fixture, &url, query).arguments(["-o", "jsonl"]);
        let lines = json_lines(&jsonl.run().with_code(0));
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[9]["type"], "summary");
        assert!(lines[..9].iter().all(|line| line["type"] == "span"));
    }
}

#[test]
fn each_failure_has_its_exit_code() {
    let fixture = Fixture::new();
    let url = jaeger::recorded();
    trace(&fixture, &url, "front").run().with_code(2);
    trace(&fixture, UNREACHABLE, RECORDED)
        .run()
        .with_code(47)
        .with_message(&[UNREACHABLE, "--jaeger-url"]);
    // The stand-in answers a search with another chunk's trace.
    let other = RECORDED_CHUNK.replace("0003", "0004");
    for query in [RECORDED.replace('4', "5"), other] {
        trace(&fixture, &url, &query)
            .flag("--wait", "0s")
            .run()
            .with_code(55)
            .with_message(&[&query, &url, "sampler"]);
    }
}

#[test]
fn a_query_does_not_create_a_missing_bucket_folder() {
    let fixture = Fixture::new();
    let object = format!("{}/{KEY}", fixture.path("nowhere").display());
    let drawn = trace(&fixture, &jaeger::recorded(), &object);
    let drawn = drawn.run().with_code(0);
    let warnings = drawn.stderr_with("the folder does not exist");
    assert_eq!(warnings.len(), 1, "{drawn}");
    assert!(!fixture.path("nowhere").exists());
}

#[test]
fn a_chunk_of_a_session_is_traced_from_cut_to_inspection() {
    let (fixture, jaeger) = (Fixture::new(), Jaeger::real_or_stand_in());
    let up = fixture
        .up(&[("front", &video::irregular())])
        .flag("--otlp-endpoint", &jaeger.collector)
        .flag("--jaeger-url", &jaeger.url)
        .env("OTEL_METRICS_EXPORTER", "none")
        .run()
        .with_code(0);
    let output = up.output();
    let page = output.summary["trace"].as_str();
    let page = page.unwrap_or_else(|| panic!("no page of a trace: {up}"));
    let pages = format!("{}/trace/", jaeger.url);
    assert!(page.starts_with(&pages), "{page}");

    let (id, object) = chunk_and_object(&fixture, &output.chunks[0]);
    let jsonl = |query: &str| {
        let jsonl = trace(&fixture, &jaeger.url, query).arguments(["-o", "jsonl"]);
        let jsonl = jsonl.run().with_code(0);
        assert!(jsonl.stderr.is_empty(), "{jsonl}");
        json_lines(&jsonl)
    };
    let mut spans = jsonl(&id);
    let summary = spans.pop().unwrap();
    assert_eq!(summary["chunk"], id.as_str());
    assert_eq!(summary["errors"], 0);
    let latency = summary["cut_to_inspected_s"].as_f64();
    assert!(latency.is_some_and(|seconds| seconds > 0.0), "{summary}");
    for (service, name) in STEPS {
        let is_step = |span: &Value| span["service"] == service && span["name"] == name;
        assert!(
            spans.iter().any(is_step),
            "{service}, {name} is not in {spans:#?}"
        );
    }
    // The object's metadata names the same trace.
    assert_eq!(jsonl(&object).pop().unwrap()["trace"], summary["trace"]);
}

/// Services and spans of every chunk.
const STEPS: [(&str, &str); 7] = [
    ("crispy-ingestor", "cut chunk"),
    ("crispy-ingestor", "publish chunks.{camera}"),
    ("crispy-uploader", "process chunks.{camera}"),
    ("crispy-uploader", "PUT object"),
    ("crispy-uploader", "publish uploaded.{camera}"),
    ("crispy-inspector", "process uploaded.{camera}"),
    ("crispy-inspector", "GET object"),
];

/// A chunk's id, and the URL of its object.
fn chunk_and_object(fixture: &Fixture, chunk: &Value) -> (String, String) {
    let text = |name: &str| chunk[name].as_str().unwrap();
    let sequence = chunk["sequence"].as_u64().unwrap();
    let [site, camera, run, object] = ["site", "camera", "run", "object"].map(text);
    (
        format!("{site}/{camera}/{run}/{sequence:010}"),
        format!("{}/{object}", fixture.bucket().url()),
    )
}

/// A server that answers each request by `answer` with its target. Returns its address.
fn server(answer: impl Fn(&str, TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut lines = BufReader::new(&client).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            answer(first.split(' ').nth(1).unwrap_or_default(), client);
        }
    });
    format!("http://{address}")
}

fn respond(mut client: TcpStream, status: u16, body: &Value) {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n", body.len());
    // A client that hangs up is no error here.
    drop(write!(client, "{head}Connection: close\r\n\r\n{body}"));
}

/// The failed span of the recorded chunk's processing, alone in its trace: all that is kept of an
/// unsampled trace.
fn unsampled_failure() -> Value {
    let parts: Vec<&str> = RECORDED_CHUNK.split('/').collect();
    let [site, camera, run, _] = parts[..] else {
        panic!("{RECORDED_CHUNK} has four parts")
    };
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    json!({"result": {"resourceSpans": [{
        "resource": {"attributes": [text("service.name", "video")]},
        "scopeSpans": [{"spans": [{
            "traceId": RECORDED, "spanId": "2222222222222222", "parentSpanId": "1111111111111111",
            "name": "process chunks.{camera}",
            "startTimeUnixNano": "1795658966048232936", "endTimeUnixNano": "1795658966057332936",
            "attributes": [
                text("site", site), text("camera", camera), text("run", run),
                {"key": "sequence", "value": {"intValue": "3"}},
            ],
            "status": {"code": 2, "message": "the bucket has other bytes"},
        }]}],
    }]}})
}

#[test]
fn an_unsampled_failure_is_found_under_any_service_name() {
    let fixture = Fixture::new();
    // Some storages cannot search across services.
    for any_service in [true, false] {
        let url = server(move |target, client| {
            let is_search = target.starts_with("/api/v3/traces?");
            let service = target.split("serviceName=").nth(1);
            match (is_search, service) {
                (false, _) if target == "/api/v3/services" => {
                    respond(client, 200, &json!({"services": ["other", "video"]}));
                }
                (true, None) if any_service => respond(client, 200, &unsampled_failure()),
                (true, None) => {
                    let message = "service name must be set";
                    respond(client, 500, &json!({"error": {"message": message}}));
                }
                (true, Some("video")) => respond(client, 200, &unsampled_failure()),
                _ => respond(client, 200, &json!({"result": {}})),
            }
        });
        let drawn = trace(&fixture, &url, RECORDED_CHUNK).flag("--wait", "0s");
        let drawn = drawn.run().with_code(0);
        assert_eq!(drawn.stdout[0], format!("chunk  {RECORDED_CHUNK}"));
        let error = "! video, process chunks.{camera}: the bucket has other bytes";
        assert!(drawn.stdout.iter().any(|line| line == error), "{drawn}");
    }
}

#[test]
fn an_endless_response_is_refused() {
    let fixture = Fixture::new();
    let url = server(|_, mut client| {
        let spaces = [b' '; 1 << 16];
        if client.write_all(b"HTTP/1.1 200 x\r\n\r\n").is_ok() {
            while client.write_all(&spaces).is_ok() {}
        }
    });
    let exited = trace(&fixture, &url, RECORDED).run().with_code(47);
    exited.with_message(&[&url, "more than 64 MiB"]);
}

#[test]
fn a_waterfall_is_as_wide_as_columns() {
    let fixture = Fixture::new();
    let url = jaeger::recorded();
    for (columns, has_bars) in [("60", false), ("80", true), ("", true)] {
        let drawn = trace(&fixture, &url, RECORDED).env("COLUMNS", columns);
        let drawn = drawn.run().with_code(0);
        let table = || drawn.stdout.iter().skip(4).take(10);
        let widest = table().map(|line| line.chars().count()).max().unwrap();
        let most = columns.parse().unwrap_or(132);
        assert!(widest <= most && widest + 16 > most, "{widest}: {drawn}");
        assert_eq!(table().any(|line| line.contains('█')), has_bars, "{drawn}");
    }
}
