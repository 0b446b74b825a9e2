//! One process: started hermetically, followed line by line, gone with its test.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, answers::Answers, until};

/// How a process is to be started.
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    command: Command,
}

impl Program {
    /// One of our four programs, in `folder`, without the settings of whoever runs the tests, and with the nats-server that is tested on PATH.
    pub(crate) fn new(name: &str, folder: &Path) -> Self {
        Self::at(&ours(name), folder)
    }

    /// The program at `path`, otherwise as [`Program::new`].
    pub(crate) fn at(path: &Path, folder: &Path) -> Self {
        // setpriv (util-linux) has the kernel kill the program with its test, however that ends.
        let mut command = Command::new(on_path("setpriv"));
        command.args(["--pdeathsig", "KILL", "--"]).arg(path);
        command.current_dir(folder).stdin(Stdio::null());
        for (name, _) in env::vars_os().filter(|(name, _)| is_setting(&name.to_string_lossy())) {
            command.env_remove(name);
        }
        command.env("PATH", path_with_nats_server());
        Self {
            path: path.to_owned(),
            arguments: Vec::new(),
            command,
        }
    }

    /// Further arguments.
    pub(crate) fn arguments<const N: usize>(mut self, arguments: [&str; N]) -> Self {
        self.arguments.extend(arguments.map(OsString::from));
        self
    }

    /// A flag and its value.
    pub(crate) fn flag(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.arguments.extend([name.into(), value.into()]);
        self
    }

    /// Another value for a flag that was given.
    pub(crate) fn instead(mut self, name: &str, value: impl Into<OsString>) -> Self {
        let place = self.arguments.iter().position(|given| given == name);
        let place = place.unwrap_or_else(|| panic!("{name} was not given"));
        self.arguments[place + 1] = value.into();
        self
    }

    /// An environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// Starts it.
    pub(crate) fn start(mut self) -> Running {
        let words = [self.path.as_os_str()].into_iter();
        let words = words.chain(self.arguments.iter().map(OsString::as_os_str));
        let said = words
            .map(OsStr::to_string_lossy)
            .collect::<Vec<_>>()
            .join(" ");
        let child = self
            .command
            .args(&self.arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("start {said} by setpriv: {error}"));
        let stdout = Lines::follow(child.stdout.take().expect("stdout is piped"));
        let stderr = Lines::follow(child.stderr.take().expect("stderr is piped"));
        Running {
            said,
            child,
            stdout,
            stderr,
        }
    }

    /// Starts it and waits for its end.
    pub(crate) fn run(self) -> Ended {
        self.start().end()
    }
}

/// A process that runs. It does not outlive its test.
pub(crate) struct Running {
    said: String,
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("send the signal");
    }

    /// Waits until stdout has so many lines.
    /// Where its admin pages are, as it says at its start.
    pub(crate) fn pages(&mut self) -> SocketAddr {
        self.until_stderr("admin pages");
        let line = self.stderr_with("admin pages").remove(0);
        let (_, address) = line.split_once("address").unwrap();
        let is_part = |c: char| c.is_ascii_digit() || ".:".contains(c);
        let address = address.trim_start_matches(|c: char| !c.is_ascii_digit());
        let address = address.split(|c| !is_part(c)).next().unwrap();
        address.parse().unwrap()
    }

    pub(crate) fn until_stdout_lines(&mut self, count: usize) {
        self.until_lines("", count, |running| &running.stdout);
    }

    /// Waits until stderr has a line with `words`.
    pub(crate) fn until_stderr(&mut self, words: &str) {
        self.until_lines(words, 1, |running| &running.stderr);
    }

    fn until_lines(&mut self, words: &str, count: usize, of: impl Fn(&Self) -> &Lines) {
        let what = format!("{count} lines with {words:?} of {}", self.said);
        until(&what, || {
            // The end first: what was said before it is complete only then.
            let ended = self.child.try_wait().expect("look at a child of ours");
            let heard = of(self).so_far();
            let found = heard.iter().filter(|line| line.contains(words)).count();
            if found < count
                && let Some(status) = ended
            {
                let (stdout, stderr) = (self.stdout.so_far(), self.stderr.so_far());
                panic!("{what}: it ended by {status}\nstdout: {stdout:#?}\nstderr: {stderr:#?}");
            }
            found >= count
        });
    }

    /// Lines of stdout so far.
    pub(crate) fn stdout(&self) -> Vec<String> {
        self.stdout.so_far()
    }

    /// Lines of stderr with `words` so far.
    pub(crate) fn stderr_with(&self, words: &str) -> Vec<String> {
        let mut lines = self.stderr.so_far();
        lines.retain(|line| line.contains(words));
        lines
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        let status = self.child.try_wait();
        status.expect("look at a child of ours").is_some()
    }

    /// Waits for its end, and for all that it and its children have said.
    pub(crate) fn end(mut self) -> Ended {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("look at a child of ours") {
                break status;
            }
            if began.elapsed() > PATIENCE {
                let (stdout, stderr) = (self.stdout.so_far(), self.stderr.so_far());
                panic!(
                    "{} does not end\nstdout: {stdout:#?}\nstderr: {stderr:#?}",
                    self.said
                );
            }
            thread::sleep(Duration::from_millis(2));
        };
        Ended {
            said: std::mem::take(&mut self.said),
            status,
            took: began.elapsed(),
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended by itself. Its children are on its leash.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that has ended, and all that it said.
pub(crate) struct Ended {
    said: String,
    pub(crate) status: ExitStatus,
    /// How long its end was waited for.
    pub(crate) took: Duration,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Ended {
    /// The same; fails unless it ended with exit code `code`.
    #[track_caller]
    pub(crate) fn with_code(self, code: u8) -> Self {
        assert_eq!(self.status.code(), Some(code.into()), "{self}");
        self
    }

    /// The same; fails unless stderr's last line holds each of `words`: what failed, where, and what to do next.
    #[track_caller]
    pub(crate) fn saying(self, words: &[&str]) -> Self {
        let last = self.stderr.last().map_or("", String::as_str);
        for word in words {
            assert!(last.contains(word), "{word:?} is not in {last:?}: {self}");
        }
        self
    }

    /// Lines of stderr with `words`.
    pub(crate) fn stderr_with(&self, words: &str) -> Vec<&String> {
        let lines = self.stderr.iter();
        lines.filter(|line| line.contains(words)).collect()
    }

    /// stdout as what `-o jsonl` promises.
    #[track_caller]
    pub(crate) fn answers(&self) -> Answers {
        Answers::of(&self.stdout)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ended by {}", self.said, self.status)?;
        for (name, lines) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            // The end says why; the whole log of a long run would bury it.
            let from = lines.len().saturating_sub(40);
            writeln!(f, "{name}:\n  {}", lines[from..].join("\n  "))?;
        }
        Ok(())
    }
}

/// The lines of a pipe, as they come.
struct Lines {
    heard: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn follow(pipe: impl Read + Send + 'static) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hearing = Arc::clone(&heard);
        let reader = thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                hearing.lock().expect("nobody panics here").push(line);
            }
        });
        Self {
            heard,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> Vec<String> {
        self.heard.lock().expect("nobody panics here").clone()
    }

    /// Waits until everybody who could write to the pipe is gone: children too.
    fn all(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader does not panic");
        }
        self.so_far()
    }
}

/// A program of ours, beside `crispy`.
pub(crate) fn ours(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_crispy")).with_file_name(name);
    assert!(
        program.is_file(),
        "{} is missing: build all programs first, as `make test` does (cargo build --bins)",
        program.display()
    );
    program
}

/// A tool's absolute path: a program may be given another PATH than ours, and would be started by a tool that is looked for there.
fn on_path(tool: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join(tool));
    let mut found = found.filter(|path| path.is_file());
    found
        .next()
        .unwrap_or_else(|| panic!("there is no {tool} on PATH"))
}

fn path_with_nats_server() -> OsString {
    let server = crispy_testbed::nats_server_binary();
    let folder = server.parent().map(Path::to_owned).unwrap_or_default();
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths([folder].into_iter().chain(env::split_paths(&path)))
        .expect("folders of PATH can be joined")
}

fn is_setting(name: &str) -> bool {
    ["CRISPY_", "NATS_", "OTEL_", "GOOGLE_", "RUST_LOG"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}
