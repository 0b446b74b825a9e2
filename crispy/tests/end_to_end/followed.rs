//! Looking for a trace where it is not easily had: under another name, kept in part, and at servers that answer badly.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
};

use serde_json::{Value, json};

use crate::house::{
    House,
    jaeger::{self, Api, RECORDED, RECORDED_CHUNK},
    program::Program,
};

fn trace(house: &House, url: &str, of: &str) -> Program {
    let trace = house.program("crispy").arguments(["trace", of]);
    trace.flag("--jaeger-url", url).flag("--wait", "0s")
}

/// A server that answers each request as `answer` does with its target. Returns where it is asked.
fn answering(answer: impl Fn(&str, TcpStream) + Send + 'static) -> String {
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

fn say(mut client: TcpStream, status: u16, body: &Value) {
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n", body.len());
    // A client that hangs up is no concern of ours.
    drop(write!(client, "{head}Connection: close\r\n\r\n{body}"));
}

/// The span of handling the recorded chunk, alone in its trace: what is kept of one that was not to be kept, and failed.
fn failed_handling() -> Value {
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
fn a_chunk_is_found_by_the_one_span_of_it_that_was_kept_under_whatever_name_its_program_goes() {
    let house = House::new();
    // Storages differ in whether they can be searched for spans of any service.
    for any_service in [true, false] {
        let url = answering(move |target, client| {
            let is_search = target.starts_with("/api/v3/traces?");
            let service = target.split("serviceName=").nth(1);
            match (is_search, service) {
                (false, _) if target == "/api/v3/services" => {
                    say(client, 200, &json!({"services": ["other", "video"]}));
                }
                (true, None) if any_service => say(client, 200, &failed_handling()),
                (true, None) => {
                    let message = "service name must be set";
                    say(client, 500, &json!({"error": {"message": message}}));
                }
                (true, Some("video")) => say(client, 200, &failed_handling()),
                _ => say(client, 200, &json!({"result": {}})),
            }
        });
        let drawn = trace(&house, &url, RECORDED_CHUNK).run().with_code(0);
        assert_eq!(drawn.stdout[0], format!("chunk  {RECORDED_CHUNK}"));
        let why = "! video, process chunks.{camera}: the bucket has other bytes";
        assert!(drawn.stdout.iter().any(|line| line == why), "{drawn}");
    }
}

#[test]
fn an_answer_without_end_is_not_read_for_ever() {
    let house = House::new();
    let url = answering(|_, mut client| {
        let spaces = [b' '; 1 << 16];
        let begun = client.write_all(b"HTTP/1.1 200 x\r\n\r\n");
        if begun.is_ok() {
            while client.write_all(&spaces).is_ok() {}
        }
    });
    let ended = trace(&house, &url, RECORDED).run().with_code(47);
    ended.saying(&[&url, "more than 64 MiB"]);
}

#[test]
fn a_picture_is_as_wide_as_columns_says() {
    let house = House::new();
    let url = jaeger::recorded(Api::Present);
    for (columns, has_bars) in [("60", false), ("80", true), ("", true)] {
        let drawn = trace(&house, &url, RECORDED).env("COLUMNS", columns);
        let drawn = drawn.run().with_code(0);
        let table = || drawn.stdout.iter().skip(4).take(10);
        let widest = table().map(|line| line.chars().count()).max().unwrap();
        let most = columns.parse().unwrap_or(132);
        assert!(widest <= most && widest + 16 > most, "{widest}: {drawn}");
        assert_eq!(table().any(|line| line.contains('█')), has_bars, "{drawn}");
    }
}
