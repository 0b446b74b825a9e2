//! Third-party servers, as child processes of one test.

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

/// The longest time until a server listens, on a machine busy with other tests.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A program that listens on a port of 127.0.0.1.
///
/// Dropping the value kills the process by its id. The kernel kills it when the thread that started
/// it ends: a test that is itself killed leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    process: Child,
    port: u16,
    log: PathBuf,
}

impl Program {
    /// Starts it and appends its output to `log`.
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
        // util-linux' setpriv asks the kernel to kill the server with its parent. Rust can do that
        // only with unsafe code.
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
    /// When it ends instead, or takes longer than a minute.
    pub(crate) fn wait_until_it_listens(&mut self) {
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(
                !self.has_ended() && Instant::now() < deadline,
                "{} did not start on port {}: {}",
                self.name,
                self.port,
                fs::read_to_string(&self.log).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// True if it has ended by itself.
    ///
    /// # Panics
    ///
    /// When the status of its process cannot be read.
    pub(crate) fn has_ended(&mut self) -> bool {
        let ended = self.process.try_wait();
        ended.expect("read the status of a child").is_some()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The response, with its headers, to an HTTP request without a body. `head` is the request
    /// line without the version, and the headers.
    pub(crate) fn request(&self, head: &[&str]) -> io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        let (first, headers) = head.split_first().unwrap_or((&"", &[]));
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        write!(
            stream,
            "{first} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-length: 0\r\nconnection: close\r\n{headers}\r\n",
            self.port
        )?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        Ok(response)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only when the process has ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A free port. Another process may take it before the caller does; that is rare, since the kernel
/// chooses from 28,000 ports, and the test has to be run again.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("find a free port");
    listener.local_addr().expect("it is bound").port()
}

/// A program that `make setup` installs under `tools`.
///
/// # Panics
///
/// When it is not installed.
pub(crate) fn tool(path: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tools")
        .join(path);
    assert!(file.is_file(), "tools/{path} is missing: run `make setup`");
    file
}
