//! An HTTP server for a folder, with the faults of real ones on request.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::SystemTime,
};

/// What a server does wrong, or insists on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpFault {
    /// Answers every request for it with this status.
    Status(u16),
    /// Answers the first so many requests with 503.
    Unavailable(u32),
    /// Closes the connection after so many bytes of each answer.
    BreakAfter(usize),
    /// Takes no `Range`.
    NoRange,
    /// Takes no `Range` and does not say how long it is, as live streams do.
    NoLength,
    /// The same, in chunks, by which its end is known: as what is made on request.
    Chunked,
    /// Gives the whole file and calls it the stretch that was asked for.
    WrongRange,
    /// Gives at most so many bytes of the stretch that was asked for.
    ShortRange(usize),
    /// Says that what it gives is compressed.
    Compressed,
    /// Says nothing of when it was written.
    NoDate,
    /// Gives another `ETag` each time.
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
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    /// By path, with the number of requests so far.
    faults: HashMap<String, Vec<HttpFault>>,
    requests: Mutex<Vec<String>>,
}

impl HttpServer {
    /// Serves the files of a folder, with these faults of single paths (`/a.mp4`).
    ///
    /// # Panics
    ///
    /// When there is no free port.
    pub fn serve(root: &Path, faults: &[(&str, HttpFault)]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
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
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let serving = Arc::clone(&serving);
                // A client that hangs up is what some tests want.
                thread::spawn(move || serving.answer(client));
            }
        });
        Self { address, shared }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same with user and password.
    pub fn url_with(&self, user: &str, path: &str) -> String {
        format!("http://{user}@{}{path}", self.address)
    }

    /// The paths that were asked for so far, in order.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.shared.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What matters of a request.
struct Request {
    path: String,
    /// The first byte that is wanted, and the one after the last.
    range: Option<(usize, Option<usize>)>,
    authorization: Option<String>,
}

impl Request {
    fn read(client: &TcpStream) -> Option<Self> {
        let mut lines = BufReader::new(client).lines();
        let first = lines.next()?.ok()?;
        let path = first.split(' ').nth(1)?.split('?').next()?.to_owned();
        let (mut range, mut authorization) = (None, None);
        for line in lines
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
        {
            let (name, value) = line.split_once(": ")?;
            match name.to_ascii_lowercase().as_str() {
                "range" => {
                    let (from, last) = value.strip_prefix("bytes=")?.split_once('-')?;
                    let end = last.parse().ok().map(|last: usize| last + 1);
                    range = Some((from.parse().ok()?, end));
                }
                "authorization" => authorization = Some(value.to_owned()),
                _ => {}
            }
        }
        Some(Self {
            path,
            range,
            authorization,
        })
    }
}

/// How a file is given.
struct Manner {
    breaks_after: usize,
    ranges: bool,
    length: bool,
    chunked: bool,
    other_range: bool,
    piece: usize,
    compressed: bool,
    date: bool,
    /// What its `ETag` says.
    state: u32,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            breaks_after: usize::MAX,
            ranges: true,
            length: true,
            chunked: false,
            other_range: false,
            piece: usize::MAX,
            compressed: false,
            date: true,
            state: 0,
        }
    }
}

impl Shared {
    /// One request a connection: reconnecting is what is tested.
    fn answer(&self, mut client: TcpStream) -> Option<()> {
        let request = Request::read(&client)?;
        let before = self.note(&request.path);
        let mut manner = Manner::default();
        for fault in self.faults.get(&request.path).into_iter().flatten() {
            match fault {
                HttpFault::Status(status) => return refuse(&mut client, *status, ""),
                HttpFault::Unavailable(times) if before < *times => {
                    return refuse(&mut client, 503, "");
                }
                HttpFault::RequireAuthorization(word)
                    if request.authorization.as_deref() != Some(word) =>
                {
                    return refuse(&mut client, 401, "WWW-Authenticate: Basic realm=\"x\"\r\n");
                }
                HttpFault::Redirect(place) => {
                    return refuse(&mut client, 302, &format!("Location: {place}\r\n"));
                }
                // Until the client has enough of it.
                HttpFault::Silent => return client.read(&mut [0]).ok().map(drop),
                HttpFault::BreakAfter(bytes) => manner.breaks_after = *bytes,
                HttpFault::NoRange => manner.ranges = false,
                HttpFault::NoLength => (manner.ranges, manner.length) = (false, false),
                HttpFault::Chunked => {
                    (manner.ranges, manner.length, manner.chunked) = (false, false, true);
                }
                HttpFault::WrongRange => manner.other_range = true,
                HttpFault::ShortRange(bytes) => manner.piece = *bytes,
                HttpFault::Compressed => manner.compressed = true,
                HttpFault::NoDate => manner.date = false,
                HttpFault::ChangingEtag => manner.state = before,
                HttpFault::Unavailable(_) | HttpFault::RequireAuthorization(_) => {}
            }
        }
        self.give(&mut client, &request, &manner)
    }

    /// The file, or the stretch of it that is wanted.
    fn give(&self, client: &mut TcpStream, request: &Request, manner: &Manner) -> Option<()> {
        let path = self.root.join(request.path.trim_start_matches('/'));
        let Ok(bytes) = fs::read(&path) else {
            return refuse(client, 404, "");
        };
        let all = bytes.len();
        let wanted = request.range.filter(|_| manner.ranges);
        let (from, end) =
            wanted.map_or((0, all), |(from, end)| (from, end.unwrap_or(all).min(all)));
        if from >= end && wanted.is_some() {
            return refuse(client, 416, &format!("Content-Range: bytes */{all}\r\n"));
        }
        let end = end.min(from.saturating_add(manner.piece));
        let (from, end) = if manner.other_range {
            (0, all)
        } else {
            (from, end)
        };
        let mut head = match wanted {
            Some(_) => format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{all}\r\n",
                end - 1
            ),
            None => "HTTP/1.1 200 OK\r\n".to_owned(),
        };
        if manner.length {
            head += &format!("Content-Length: {}\r\n", end - from);
        }
        if manner.compressed {
            head += "Content-Encoding: gzip\r\n";
        }
        if manner.chunked {
            head += "Transfer-Encoding: chunked\r\n";
        }
        if manner.date {
            let modified = fs::metadata(&path).and_then(|about| about.modified());
            let date = httpdate::fmt_http_date(modified.unwrap_or(SystemTime::UNIX_EPOCH));
            let state = manner.state;
            head += &format!("Last-Modified: {date}\r\nETag: \"{state}\"\r\n");
        }
        write!(client, "{head}Connection: close\r\n\r\n").ok()?;
        let given = &bytes[from..end.min(from.saturating_add(manner.breaks_after))];
        if manner.chunked {
            write!(client, "{:x}\r\n", given.len()).ok()?;
        }
        client.write_all(given).ok()?;
        if manner.chunked {
            write!(client, "\r\n0\r\n\r\n").ok()?;
        }
        client.shutdown(Shutdown::Both).ok()
    }

    /// How many requests there were for this before.
    fn note(&self, path: &str) -> u32 {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let before = requests.iter().filter(|earlier| *earlier == path).count();
        requests.push(path.to_owned());
        u32::try_from(before).unwrap_or(u32::MAX)
    }
}

fn refuse(client: &mut TcpStream, status: u16, headers: &str) -> Option<()> {
    write!(
        client,
        "HTTP/1.1 {status} no\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .ok()
}
