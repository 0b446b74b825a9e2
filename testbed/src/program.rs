//! A server of somebody else's, started for one test and gone with it.

use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a server may take to listen, on a machine that is busy with other tests.
const STARTING: Duration = Duration::from_secs(60);

/// A program that listens on a port of 127.0.0.1.
///
/// It is killed, by its own process id, when this is dropped, and by the kernel when the thread that started it ends: a test that is itself
/// killed leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    process: Child,
    port: u16,
    log: PathBuf,
}

impl Program {
    /// Starts it; what it prints is added to `log`.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub(crate) fn spawn<I: AsRef<OsStr>>(
        binary: &Path,
        args: impl IntoIterator<Item = I>,
        port: u16,
        log: &Path,
    ) -> Self {
        let printed = OpenOptions::new().create(true).append(true).open(log);
        let printed = printed.expect("open its log");
        // util-linux' setpriv asks the kernel to kill the server with its parent, which Rust can only do with unsafe code.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(binary)
            .args(args)
            .stdin(Stdio::null())
            .stdout(printed.try_clone().expect("a file of ours"))
            .stderr(printed)
            .spawn()
            .unwrap_or_else(|error| panic!("start {} by setpriv: {error}", binary.display()));
        let name = binary.file_name().unwrap_or_default();
        Self {
            name: name.to_string_lossy().into_owned(),
            process,
            port,
            log: log.to_owned(),
        }
    }

    /// Waits until it listens.
    ///
    /// # Panics
    ///
    /// When it ends instead, or takes a minute.
    pub(crate) fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + STARTING;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(
                !self.has_ended() && Instant::now() < deadline,
                "{} did not come up on port {}: {}",
                self.name,
                self.port,
                fs::read_to_string(&self.log).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it has ended by itself.
    ///
    /// # Panics
    ///
    /// When its process cannot be looked at.
    pub(crate) fn has_ended(&mut self) -> bool {
        let ended = self.process.try_wait();
        ended.expect("look at a child of ours").is_some()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The answer to a request of HTTP without a body, headers and all. `head` is its first line without the version, and its own headers.
    pub(crate) fn ask(&self, head: &[&str]) -> io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        let (first, headers) = head.split_first().unwrap_or((&"", &[]));
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        write!(
            stream,
            "{first} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-length: 0\r\nconnection: close\r\n{headers}\r\n",
            self.port
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only when the process has gone by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listens on. Somebody else may take it before we do; tests that meet that are run again by their reader, and the range
/// that the kernel takes these from is 28,000 ports wide.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("find a free port");
    listener.local_addr().expect("it is bound").port()
}

/// What `make setup` has put at this place of `tools`.
///
/// # Panics
///
/// When it is not there.
pub(crate) fn of_tools(place: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tools")
        .join(place);
    assert!(
        path.is_file(),
        "there is no tools/{place}: run `make setup`"
    );
    path
}
