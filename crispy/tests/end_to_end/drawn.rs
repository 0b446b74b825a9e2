//! The way of a chunk, as an operator looks at it: through Jaeger, in the terminal.

use std::{env, fs};

use serde_json::Value;

use crate::house::{
    House,
    jaeger::{self, Api, Jaeger, RECORDED, RECORDED_CHUNK},
    program::{Ended, Program},
    video,
};

/// The key of the recorded chunk's object.
const KEY: &str =
    "v1/demo/front/2026/11/22/19/1795376284197-4440000-01M82C7XJ5HSDAXZ4F9DVKKH71-0000000003.mp4";

/// Nobody listens there: port 1 is the kernel's to refuse.
const NOBODY: &str = "http://127.0.0.1:1";

fn trace(house: &House, url: &str, of: &str) -> Program {
    let trace = house.program("crispy").arguments(["trace", of]);
    trace.flag("--jaeger-url", url)
}

fn lines(ended: &Ended) -> Vec<Value> {
    let lines = ended.stdout.iter();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_trace_is_found_by_either_api_whatever_it_is_named_by() {
    let house = House::new();
    for api in [Api::Present, Api::Older] {
        let url = jaeger::recorded(api);
        for of in [RECORDED, RECORDED_CHUNK, KEY] {
            let drawn = trace(&house, &url, of).run().with_code(0);
            assert_eq!(drawn.stdout[0], format!("chunk  {RECORDED_CHUNK}"));
            assert_eq!(drawn.stdout[1], format!("trace  {url}/trace/{RECORDED}"));
            assert_eq!(drawn.stdout.last().unwrap(), "cut to inspected  95 ms");
            let told = trace(&house, &url, of).arguments(["-o", "jsonl"]).run();
            let lines = lines(&told.with_code(0));
            assert_eq!(lines.len(), 10);
            assert_eq!(lines[9]["type"], "summary");
            assert!(lines[..9].iter().all(|line| line["type"] == "span"));
        }
    }
}

#[test]
fn a_trace_that_cannot_be_shown_has_its_exit_code() {
    let house = House::new();
    let url = jaeger::recorded(Api::Present);
    trace(&house, &url, "front").run().with_code(2);
    trace(&house, NOBODY, RECORDED)
        .run()
        .with_code(47)
        .saying(&[NOBODY, "--jaeger-url"]);
    // The stand-in gives another chunk's trace to whoever searches.
    let other = RECORDED_CHUNK.replace("0003", "0004");
    for of in [RECORDED.replace('4', "5"), other] {
        trace(&house, &url, &of)
            .flag("--wait", "0s")
            .run()
            .with_code(55)
            .saying(&[&of, &url, "sampler"]);
    }
}

#[test]
fn a_folder_that_is_not_there_is_not_made_by_looking_for_a_trace_in_it() {
    let house = House::new();
    let object = format!("{}/{KEY}", house.path("nowhere").display());
    let url = jaeger::recorded(Api::Present);
    let drawn = trace(&house, &url, &object).run().with_code(0);
    assert_eq!(
        drawn.stderr_with("the folder is not there").len(),
        1,
        "{drawn}"
    );
    assert!(!house.path("nowhere").exists());
}

#[test]
fn a_jaeger_that_cannot_be_had_ends_a_session_before_it_begins_and_one_that_is_only_hoped_for_never_does()
 {
    let house = House::new();
    let up = || {
        let up = house.up(&[("front", &video::irregular())]);
        up.flag("--jaeger-url", NOBODY)
    };
    up().arguments(["--jaeger"])
        .env("PATH", "")
        .run()
        .with_code(46)
        .saying(&["jaeger", "PATH", "docker run"]);
    house.nothing_is_half_done();
    let ended = up().arguments(["--jaeger=running"]).run().with_code(0);
    assert!(ended.answers().summary["trace"].is_null(), "{ended}");
}

#[test]
fn a_jaeger_that_dies_while_it_starts_is_named_with_its_log() {
    let house = House::new();
    let programs = house.path("programs");
    fs::create_dir(&programs).unwrap();
    fs::copy("/bin/false", programs.join("jaeger")).unwrap();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([programs].into_iter().chain(env::split_paths(&path)));
    house
        .up(&[("front", &video::irregular())])
        .flag("--jaeger-url", NOBODY)
        .arguments(["--jaeger"])
        .flag("--nats-server-bin", crispy_testbed::nats_server_binary())
        .env("PATH", path.unwrap())
        .run()
        .with_code(50)
        .saying(&["jaeger ended while it started", "jaeger.log"]);
    house.nothing_is_half_done();
}

#[test]
fn a_chunk_of_a_session_is_followed_from_its_cut_to_its_inspection() {
    let (house, jaeger) = (House::new(), Jaeger::real_or_stand_in());
    let up = house
        .up(&[("front", &video::irregular())])
        .flag("--otlp-endpoint", &jaeger.collector)
        .flag("--jaeger-url", &jaeger.url)
        .env("OTEL_METRICS_EXPORTER", "none")
        .run()
        .with_code(0);
    let answers = up.answers();
    let page = answers.summary["trace"].as_str();
    let page = page.unwrap_or_else(|| panic!("no page of a trace: {up}"));
    assert!(
        page.starts_with(&format!("{}/trace/", jaeger.url)),
        "{page}"
    );

    let (id, object) = named(&house, &answers.chunks[0]);
    let told = |of: &str| {
        let told = trace(&house, &jaeger.url, of).arguments(["-o", "jsonl"]);
        let told = told.run().with_code(0);
        assert!(told.stderr.is_empty(), "{told}");
        lines(&told)
    };
    let mut spans = told(&id);
    let summary = spans.pop().unwrap();
    assert_eq!(summary["chunk"], id.as_str());
    assert_eq!(summary["errors"], 0);
    let latency = summary["cut_to_inspected_s"].as_f64();
    assert!(latency.is_some_and(|seconds| seconds > 0.0), "{summary}");
    for step in STEPS {
        let is_it = |span: &Value| (span["service"].as_str(), span["name"].as_str()) == step;
        assert!(spans.iter().any(is_it), "{step:?} is not in {spans:#?}");
    }
    // The object's metadata names the same trace.
    assert_eq!(told(&object).pop().unwrap()["trace"], summary["trace"]);
}

/// Who does what with every chunk.
const STEPS: [(Option<&str>, Option<&str>); 7] = [
    (Some("crispy-ingestor"), Some("cut chunk")),
    (Some("crispy-ingestor"), Some("publish chunks.{camera}")),
    (Some("crispy-uploader"), Some("process chunks.{camera}")),
    (Some("crispy-uploader"), Some("PUT object")),
    (Some("crispy-uploader"), Some("publish uploaded.{camera}")),
    (Some("crispy-inspector"), Some("process uploaded.{camera}")),
    (Some("crispy-inspector"), Some("GET object")),
];

/// A chunk's id, and the URL of its object.
fn named(house: &House, chunk: &Value) -> (String, String) {
    let text = |name: &str| chunk[name].as_str().unwrap();
    let sequence = chunk["sequence"].as_u64().unwrap();
    let [site, camera, run, object] = ["site", "camera", "run", "object"].map(text);
    (
        format!("{site}/{camera}/{run}/{sequence:010}"),
        format!("{}/{object}", house.bucket().url()),
    )
}
