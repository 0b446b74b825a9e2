//! Runs a program of `examples/` as a process.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Its path. Cargo builds examples beside the tests whenever it builds all tests of a package.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test knows where it is");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("tests lie in target/<profile>/deps");
    let program = folder.join("examples").join(name);
    assert!(
        program.exists(),
        "{program:?} is missing: it comes with cargo test -p crispy-runtime, not with --test alone"
    );
    program
}

/// A running program, and its lines on stderr. It does not outlive its test.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) lines: std::io::Lines<BufReader<ChildStderr>>,
}

impl Program {
    pub(crate) fn start(name: &str, flags: &[&str]) -> Program {
        Program::start_with(name, flags, |_| {})
    }

    /// In an empty folder and without the settings of the user who runs the tests.
    pub(crate) fn start_with(
        name: &str,
        flags: &[&str],
        adjust: impl FnOnce(&mut Command),
    ) -> Program {
        let mut command = Command::new(program(name));
        command
            .args(flags)
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            let ours = [
                "RUST_LOG",
                "CRISPY_",
                "OTEL_",
                "NOTIFY_SOCKET",
                "WATCHDOG_",
                "http",
            ];
            if ours
                .iter()
                .any(|ours| name.to_string_lossy().starts_with(ours))
            {
                command.env_remove(name);
            }
        }
        adjust(&mut command);
        let mut child = command.spawn().expect("start the program");
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        Program { child, lines }
    }

    /// Reads on until a line holds `words`.
    pub(crate) fn line_with(&mut self, words: &str) -> String {
        let mut before = Vec::new();
        for line in self.lines.by_ref().map_while(Result::ok) {
            if line.contains(words) {
                return line;
            }
            before.push(line);
        }
        panic!("no line with {words:?}, only {before:#?}");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("send the signal");
    }

    pub(crate) fn code(mut self) -> Option<i32> {
        let status: ExitStatus = self.child.wait().expect("wait for the program");
        status.code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A program that has ended already cannot be killed, and need not be.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
