//! Secrets that were planted, and whether anybody has told them.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::{
    bucket::files_below,
    processes::children_of,
    program::{Ended, Program},
    traces::Traces,
};

/// What must be told to those only who are to know it.
#[derive(Clone, Debug)]
pub(crate) struct Planted(Vec<String>);

impl Planted {
    pub(crate) fn new<const N: usize>(secrets: [&str; N]) -> Self {
        Self(secrets.map(str::to_owned).to_vec())
    }

    /// None of them is in what was said, written or sent at `place`.
    #[track_caller]
    pub(crate) fn is_not_in(&self, place: &str, said: &[u8]) {
        for secret in &self.0 {
            let at = said
                .windows(secret.len())
                .position(|window| window == secret.as_bytes());
            if let Some(at) = at {
                let around = &said[at.saturating_sub(200)..said.len().min(at + 100)];
                panic!(
                    "{secret} is in {place}: {}",
                    String::from_utf8_lossy(around)
                );
            }
        }
    }

    /// No line that a program wrote has one.
    #[track_caller]
    pub(crate) fn is_not_said_by(&self, ended: &Ended) {
        for line in ended.stdout.iter().chain(&ended.stderr) {
            self.is_not_in("the output", line.as_bytes());
        }
    }

    /// No file below a folder has one: no log, no descriptor, no message of a queue, no metadata.
    #[track_caller]
    pub(crate) fn is_not_below(&self, folder: &Path) {
        for path in files_below(folder) {
            let bytes = fs::read(&path).expect("a file of the test's own");
            self.is_not_in(&path.display().to_string(), &bytes);
        }
    }

    /// Nothing that a collector was told has one: no span, link or event, no point of a metric, no resource.
    #[track_caller]
    pub(crate) fn is_not_told_to(&self, traces: &Traces) {
        let requests = traces.receiver().requests();
        assert!(!requests.is_empty(), "the collector was told nothing");
        for request in requests {
            self.is_not_in("what the collector was told", &request);
        }
    }

    /// No child was given one as an argument, which anybody on the machine can list.
    #[track_caller]
    pub(crate) fn is_no_argument_of_children_of(&self, pid: u32) {
        let children = children_of(pid);
        assert!(!children.is_empty(), "it has no children");
        for (pid, name) in children {
            // Gone meanwhile: then nobody can list it.
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            self.is_not_in(&format!("the arguments of {name}"), &arguments);
        }
    }
}

/// The program, and its children, saying as much as anybody would have them say.
pub(crate) fn at_debug(program: Program) -> Program {
    program
        .env("CRISPY_LOG_FORMAT", "text")
        .env("CRISPY_LOG_LEVEL", "debug")
}

/// A file of credentials, where nobody looks for secrets: its folder and its path.
pub(crate) fn aside(text: &str) -> (TempDir, String) {
    let folder = TempDir::with_prefix("crispy-aside-").unwrap();
    let path = folder.path().join("credentials");
    fs::write(&path, text).unwrap();
    let path = path.to_string_lossy().into_owned();
    (folder, path)
}
