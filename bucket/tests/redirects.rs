//! Redirects on the way to the store: a login page of a network, another region, a proxy.
#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its helpers too"
)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use crispy_bucket::{Bucket, BucketOptions, Metadata};
use crispy_checksum::Checksums;
use crispy_fault::Fault;

/// The target of every redirect.
const ELSEWHERE: &str = "/elsewhere";

/// The kind of a failure; `ok` without one.
fn kind<T>(result: &Result<T, Fault>) -> &'static str {
    let fault = result.as_ref().err();
    fault.map_or("ok", |fault| fault.kind().as_str())
}

/// Answers every request with this status and the way to [`ELSEWHERE`], where a page is that looks
/// like an object.
fn serve(status: u16) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (requests, own) = (Arc::default(), url.clone());
    let log: Arc<Mutex<Vec<String>>> = Arc::clone(&requests);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (log, url) = (Arc::clone(&log), own.clone());
            // A closed connection ends its thread.
            thread::spawn(move || while answer(stream.as_ref().unwrap(), status, &url, &log) {});
        }
    });
    (url, requests)
}

/// Answers one request, unless there is none.
fn answer(mut stream: &TcpStream, status: u16, url: &str, log: &Mutex<Vec<String>>) -> bool {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first).unwrap_or(0) == 0 {
        return false;
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let page =
        "etag: \"page\"\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 0";
    let head = match first.contains(ELSEWHERE) {
        true => format!("HTTP/1.1 200 OK\r\n{page}"),
        false => {
            format!("HTTP/1.1 {status} There\r\nlocation: {url}{ELSEWHERE}\r\ncontent-length: 0")
        }
    };
    log.lock().unwrap().push(first);
    write!(stream, "{head}\r\n\r\n").is_ok()
}

#[tokio::test]
async fn a_redirected_put_is_not_followed_and_never_called_stored() {
    for status in [301, 302, 303, 307, 308] {
        for scheme in ["gs", "s3", "az"] {
            let (url, requests) = serve(status);
            let mut options = BucketOptions::new()
                .with_variable("AWS_ACCESS_KEY_ID", "id")
                .with_variable("AWS_SECRET_ACCESS_KEY", "key")
                .with_variable("AZURE_STORAGE_ACCOUNT_NAME", "account")
                .with_variable("AZURE_STORAGE_ACCOUNT_KEY", "a2V5");
            options = match scheme {
                "gs" => options.with_variable("STORAGE_EMULATOR_HOST", &url),
                _ => options.with_option(&format!("endpoint={url}")).unwrap(),
            };
            let bucket = Bucket::open_with(&format!("{scheme}://bucket"), &options).unwrap();
            let bytes = &b"some bytes of video"[..];
            let (sums, metadata) = (Checksums::new(bytes), Metadata::new());
            let put = bucket.put_once("v1/a", bytes.into(), &sums, &metadata);
            let put = put.await;
            assert!(kind(&put) == "unavailable", "{scheme}, {status}: {put:?}");
            assert!(
                bucket.check_writable(0).await.is_err(),
                "{scheme}, {status}"
            );
            let requests = requests.lock().unwrap();
            let followed = requests.iter().find(|first| first.contains(ELSEWHERE));
            assert_eq!(followed, None, "{scheme}, {status}");
        }
    }
}
