//! A server of files, with the faults of real HTTP servers.

use std::{
    collections::HashMap,
    convert::Infallible,
    fs,
    future::pending,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, Version, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;

use crate::{
    gcs::truncate,
    listener::{FREE_PORT, Listener, bind},
};

/// A fault, or a demand, of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpFault {
    /// Answers every request with this status.
    Status(u16),
    /// Answers the first so many requests with 503.
    Unavailable(u32),
    /// Closes the connection after so many bytes of each response.
    BreakAfter(usize),
    /// Ignores `Range`.
    NoRange,
    /// Ignores `Range` and omits the length, as live streams over HTTP/1.0 do: the end of the
    /// connection is the end of the file.
    NoLength,
    /// The same in chunks, whose end is marked, as for files that are made on request.
    Chunked,
    /// Sends the whole file and labels it as the range that was asked for.
    WrongRange,
    /// Sends at most so many bytes of the range that was asked for.
    ShortRange(usize),
    /// Labels the file as compressed.
    Compressed,
    /// Omits `Last-Modified` and `ETag`.
    NoDate,
    /// Sends another `ETag` each time.
    ChangingEtag,
    /// Takes the request and never answers.
    Silent,
    /// Answers 401 without this `Authorization`.
    RequireAuthorization(&'static str),
    /// Answers 302 to another address.
    Redirect(String),
}

/// A server that lives as long as the value, on a free port of this machine.
#[derive(Debug)]
pub struct HttpServer {
    listener: Listener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    /// By path.
    faults: HashMap<String, Vec<HttpFault>>,
    /// The paths of all requests so far.
    requests: Mutex<Vec<String>>,
}

impl HttpServer {
    /// Serves the files of a folder, with these faults of single paths (`/a.mp4`).
    ///
    /// # Panics
    ///
    /// When the machine has no free port.
    pub fn serve(root: &Path, faults: &[(&str, HttpFault)]) -> Self {
        let mut by_path: HashMap<String, Vec<HttpFault>> = HashMap::new();
        for (path, fault) in faults {
            let of_path = by_path.entry((*path).to_owned()).or_default();
            of_path.push(fault.clone());
        }
        let shared = Arc::new(Shared {
            root: root.to_owned(),
            faults: by_path,
            requests: Mutex::default(),
        });
        let router = Router::new()
            .fallback(respond)
            .with_state(Arc::clone(&shared));
        let listener = Listener::open(bind(FREE_PORT), |listener| {
            axum::serve(listener, router).into_future()
        });
        Self { listener, shared }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listener.address())
    }

    /// The same with user and password.
    pub fn url_with(&self, user: &str, path: &str) -> String {
        format!("http://{user}@{}{path}", self.listener.address())
    }

    /// The paths of all requests so far, in order.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.shared.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn respond(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path();
    let earlier = shared.record(path);
    let faults = shared.faults.get(path).map_or(&[][..], Vec::as_slice);
    let mut response = match refusal(&request, faults, earlier) {
        Some(response) => response,
        None if faults.contains(&HttpFault::Silent) => pending().await,
        None => shared.file(&request, faults, earlier),
    };
    // One request a connection, so that clients have to reconnect.
    set(&mut response, header::CONNECTION, "close");
    for fault in faults {
        if let HttpFault::BreakAfter(bytes) = fault {
            response = truncate(response, *bytes).await;
        }
    }
    response
}

/// The response instead of the file. `earlier` is the number of requests for it before this one.
fn refusal(request: &Request, faults: &[HttpFault], earlier: u32) -> Option<Response> {
    faults.iter().find_map(|fault| {
        let (status, name, value) = match fault {
            HttpFault::Status(status) => return Some(empty(*status)),
            HttpFault::Unavailable(times) if earlier < *times => return Some(empty(503)),
            HttpFault::RequireAuthorization(expected) => {
                let given = request.headers().get(header::AUTHORIZATION);
                if given.is_some_and(|given| given == expected) {
                    return None;
                }
                (401, header::WWW_AUTHENTICATE, "Basic realm=\"x\"")
            }
            HttpFault::Redirect(location) => (302, header::LOCATION, location.as_str()),
            _ => return None,
        };
        let mut response = empty(status);
        set(&mut response, name, value);
        Some(response)
    })
}

impl Shared {
    /// Records a request and returns the number of earlier ones for the same path.
    fn record(&self, path: &str) -> u32 {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = requests.iter().filter(|earlier| *earlier == path).count();
        requests.push(path.to_owned());
        u32::try_from(earlier).unwrap_or(u32::MAX)
    }

    /// The file, or the range of it that was asked for.
    fn file(&self, request: &Request, faults: &[HttpFault], earlier: u32) -> Response {
        let has = |fault| faults.contains(&fault);
        let path = self.root.join(request.uri().path().trim_start_matches('/'));
        let Ok(bytes) = fs::read(&path).map(Bytes::from) else {
            return empty(404);
        };
        let (size, live) = (bytes.len(), has(HttpFault::NoLength));
        let ignores_range = live || has(HttpFault::NoRange) || has(HttpFault::Chunked);
        let range = parse_range(request, size).filter(|_| !ignores_range);
        let (from, mut end) = range.unwrap_or((0, size));
        if range.is_some() && from >= end {
            let mut response = empty(416);
            let range = format!("bytes */{size}");
            set(&mut response, header::CONTENT_RANGE, &range);
            return response;
        }
        for fault in faults {
            if let HttpFault::ShortRange(bytes) = fault {
                end = end.min(from.saturating_add(*bytes));
            }
        }
        let (from, end) = match has(HttpFault::WrongRange) {
            true => (0, size),
            false => (from, end),
        };
        let bytes = bytes.slice(from..end);
        let mut response = match live || has(HttpFault::Chunked) {
            // Of unknown length: chunked by HTTP/1.1, up to the end of the connection by HTTP/1.0.
            true => Body::from_stream(stream::iter([Ok::<_, Infallible>(bytes)])).into_response(),
            false => bytes.into_response(),
        };
        if live {
            *response.version_mut() = Version::HTTP_10;
        }
        if range.is_some() {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let range = format!("bytes {from}-{}/{size}", end - 1);
            set(&mut response, header::CONTENT_RANGE, &range);
        }
        if has(HttpFault::Compressed) {
            set(&mut response, header::CONTENT_ENCODING, "gzip");
        }
        if !has(HttpFault::NoDate) {
            let version = if has(HttpFault::ChangingEtag) {
                earlier
            } else {
                0
            };
            set(&mut response, header::LAST_MODIFIED, &modified(&path));
            set(&mut response, header::ETAG, &format!("\"{version}\""));
        }
        response
    }
}

/// The first byte of the range that a request asks for, and the one after its last.
fn parse_range(request: &Request, size: usize) -> Option<(usize, usize)> {
    let range = request.headers().get(header::RANGE)?.to_str().ok()?;
    let (from, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let last: Option<usize> = last.parse().ok();
    let end = last.map_or(size, |last| size.min(last + 1));
    Some((from.parse().ok()?, end))
}

/// The time at which a file was written, as HTTP has it.
fn modified(path: &Path) -> String {
    let modified = fs::metadata(path).and_then(|file| file.modified());
    httpdate::fmt_http_date(modified.unwrap_or(SystemTime::UNIX_EPOCH))
}

fn empty(status: u16) -> Response {
    let status = StatusCode::from_u16(status).expect("a status of HTTP");
    status.into_response()
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("a value without control characters");
    response.headers_mut().insert(name, value);
}
