//! An uploader in a process of its own, which ends with its test.

use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{Fixture, PATIENCE, bucket_url};

/// A running program.
pub(crate) struct Uploader {
    child: Child,
    log: tempfile::NamedTempFile,
}

impl Uploader {
    /// Starts it on a fixture, with a bucket at this address and an empty environment.
    pub(crate) fn start(fixture: &Fixture, bucket: &str, arguments: &[&str]) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        // setpriv (util-linux) has the kernel kill the program with its test, however that ends.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(env!("CARGO_BIN_EXE_crispy-uploader"))
            .args(["--bucket", &bucket_url()])
            .args(["--nats-server", &fixture.server.url()])
            .arg("--spool")
            .arg(fixture.folder.path())
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("CRISPY_CONFIG", "/dev/null")
            .env("STORAGE_EMULATOR_HOST", bucket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log.path()).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Its memory now, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The maximum so far.
    pub(crate) fn most_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, line: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let words = status.lines().find_map(|text| text.strip_prefix(line));
        let kib = words.unwrap().trim().strip_suffix(" kB").unwrap();
        kib.parse::<u64>().unwrap() * 1024
    }

    /// Its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    /// Stops it, and expects exit code 0. Returns its log.
    pub(crate) fn stop(mut self) -> String {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let ended = loop {
            if let Some(ended) = self.child.try_wait().unwrap() {
                break ended;
            }
            assert!(
                Instant::now() < deadline,
                "it does not stop: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(ended.success(), "{ended}: {}", self.log());
        self.log()
    }
}

impl Drop for Uploader {
    fn drop(&mut self) {
        // Both fail only when it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
