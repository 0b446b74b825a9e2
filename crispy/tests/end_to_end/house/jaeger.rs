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

use crispy_testbed::{OtlpReceiver, ReceivedSpan};
use serde_json::Value;

use super::{http, otlp_json};

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

/// What a search may find at most: a test makes dozens of traces.
const MOST_FOUND: &str = "1000";

/// A Jaeger that takes spans and can be asked.
pub(crate) struct Jaeger {
    /// Where it is asked.
    pub(crate) url: String,
    /// Where it takes spans.
    pub(crate) collector: String,
}

impl Jaeger {
    /// The real one, if there is one.
    pub(crate) fn real() -> Option<Self> {
        let url = env::var("CRISPY_JAEGER_URL").ok()?;
        let (host, _) = url
            .rsplit_once(':')
            .expect("CRISPY_JAEGER_URL names a port");
        let collector = format!("{host}:4317");
        Some(Self { url, collector })
    }

    /// The real one if there is one, else a stand-in.
    pub(crate) fn real_or_stand_in() -> Self {
        Self::real().unwrap_or_else(|| {
            let receiver = OtlpReceiver::start();
            let collector = receiver.url();
            let spans = move || otlp_json::told(&receiver.spans());
            let url = stand_in(Api::Present, spans);
            Self { url, collector }
        })
    }

    /// All spans of the traces that a service had a part in since a time, as `2026-11-26T04:00:00Z`.
    pub(crate) fn spans_of(&self, service: &str, since: &str) -> Vec<ReceivedSpan> {
        let address = self.url.strip_prefix("http://");
        let address = address.expect("CRISPY_JAEGER_URL is of the form http://host:port");
        let query = [
            ("serviceName", service),
            ("startTimeMin", since),
            ("startTimeMax", "2100-01-01T00:00:00Z"),
            ("searchDepth", MOST_FOUND),
        ];
        let query = query.map(|(name, value)| format!("query.{name}={value}"));
        let (status, said) = http::get(address, &format!("/api/v3/traces?{}", query.join("&")));
        match status {
            200 => otlp_json::heard(&said),
            // It calls what it does not have yet not found.
            404 => Vec::new(),
            _ => panic!("{}: {status}: {}", self.url, String::from_utf8_lossy(&said)),
        }
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
