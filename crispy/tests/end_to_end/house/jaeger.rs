//! A Jaeger to ask: the one at `CRISPY_JAEGER_URL`, which takes spans at port 4317 of its host, or a stand-in.
//!
//! No package of Debian, crates.io, PyPI or npm brings a Jaeger, so `make test` cannot have one. The stand-in says what a real one said
//! (`crispy/src/trace/fixtures`, recorded), or what our own collector received, in the same form. It passes over what a search is for, as
//! versions do that cannot search by attributes.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use serde_json::{Value, json};
use testbed::{OtlpReceiver, ReceivedSpan};

/// The trace that was recorded, and its chunk.
pub(crate) const RECORDED: &str = "4bf92f3577b34da6a3ce929d0e0e4737";
pub(crate) const RECORDED_CHUNK: &str = "demo/front/01M82C7XJ5HSDAXZ4F9DVKKH71/0000000003";

/// Which query API a stand-in has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    /// `/api/v3`, and 404 for everything else.
    Present,
    /// `/api`, and its page for everything else.
    Older,
}

/// A Jaeger that takes spans and can be asked.
pub(crate) struct Jaeger {
    /// Where it is asked.
    pub(crate) url: String,
    /// Where it takes spans.
    pub(crate) collector: String,
}

impl Jaeger {
    /// The real one if there is one, else a stand-in.
    pub(crate) fn real_or_stand_in() -> Self {
        if let Ok(url) = env::var("CRISPY_JAEGER_URL") {
            let (host, _) = url
                .rsplit_once(':')
                .expect("CRISPY_JAEGER_URL names a port");
            let collector = format!("{host}:4317");
            return Self { url, collector };
        }
        let receiver = OtlpReceiver::start();
        let collector = receiver.url();
        let spans = move || present_form(&receiver.spans());
        let url = stand_in(Api::Present, spans);
        Self { url, collector }
    }
}

/// A stand-in that knows the recorded trace and no other. Returns where it is asked.
pub(crate) fn recorded(api: Api) -> String {
    let said: &[u8] = match api {
        Api::Present => include_bytes!("../../../src/trace/fixtures/v3.json"),
        Api::Older => include_bytes!("../../../src/trace/fixtures/older.json"),
    };
    let said: Value = serde_json::from_slice(said).expect("what was recorded is JSON");
    stand_in(api, move || said.clone())
}

fn stand_in(api: Api, traces: impl Fn() -> Value + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("a bound socket");
    let traces = Arc::new(traces);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let traces = Arc::clone(&traces);
            // A client that hangs up is no concern of ours.
            thread::spawn(move || answer(client, api, &*traces));
        }
    });
    format!("http://{address}")
}

fn answer(mut client: TcpStream, api: Api, traces: &dyn Fn() -> Value) -> Option<()> {
    let mut lines = BufReader::new(&client).lines();
    let first = lines.next()?.ok()?;
    let target = first.split(' ').nth(1)?;
    let path = target.split('?').next()?.to_owned();
    lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .for_each(drop);
    let below = match api {
        Api::Present => path.strip_prefix("/api/v3/"),
        Api::Older => path
            .strip_prefix("/api/")
            .filter(|path| !path.starts_with("v3/")),
    };
    let nothing = (
        404,
        r#"{"error":{"httpCode":404,"message":"No traces found"}}"#.to_owned(),
    );
    let (status, body) = match below.and_then(|below| below.strip_prefix("traces")) {
        Some("") => (200, traces().to_string()),
        Some(id) => {
            let (id, mut said) = (id.trim_start_matches('/'), traces());
            if let Some(told) = said["result"]["resourceSpans"].as_array_mut() {
                told.retain(|of| of["scopeSpans"][0]["spans"][0]["traceId"] == id);
            }
            let said = said.to_string();
            match said.contains(id) {
                true => (200, said),
                false => nothing,
            }
        }
        None if below == Some("services") => (200, r#"{"services":[]}"#.to_owned()),
        None if api == Api::Older => (200, "<!doctype html>".to_owned()),
        None => (404, "404 page not found\n".to_owned()),
    };
    let length = body.len();
    write!(
        client,
        "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .ok()
}

/// What was received, as `/api/v3` tells it.
fn present_form(spans: &[ReceivedSpan]) -> Value {
    let attribute =
        |(key, value): (&String, &String)| json!({"key": key, "value": {"stringValue": value}});
    let told = spans.iter().map(|span| {
        json!({
            "resource": {"attributes": span.resource.iter().map(attribute).collect::<Vec<_>>()},
            "scopeSpans": [{"spans": [{
                "traceId": span.trace_id,
                "spanId": span.span_id,
                "parentSpanId": span.parent_id,
                "name": span.name,
                "startTimeUnixNano": span.start_ns.to_string(),
                "endTimeUnixNano": span.end_ns.to_string(),
                "attributes": span.attributes.iter().map(attribute).collect::<Vec<_>>(),
                "status": {"code": if span.failed { 2 } else { 0 }},
            }]}],
        })
    });
    json!({"result": {"resourceSpans": told.collect::<Vec<_>>()}})
}
