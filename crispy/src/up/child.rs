//! One child process: started on a leash, watched, and its CPU time counted when it ends.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use crispy_runtime::{Exit, Failed};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::process::{Child as Process, Command};

use super::{logs::Logs, show::Show};
use crate::leash;

/// Restarts that are allowed within [`PERIOD`]: more mean that starting again does not help.
const RESTARTS: usize = 5;
const PERIOD: Duration = Duration::from_secs(60);

/// How to start a child, as often as need be.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// What it is called in messages and in the closing table.
    pub name: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Its arguments. Nothing secret: anybody can list them.
    pub arguments: Vec<OsString>,
    /// Its environment beside ours: settings, and what is secret.
    pub environment: Vec<(&'static str, OsString)>,
    /// Where its stderr goes.
    pub stderr: Stderr,
}

/// Where the stderr of a child goes.
#[derive(Clone, Debug)]
pub(super) enum Stderr {
    /// To us, who have to read it: [`Child::pass_on_logs`].
    PassedOn,
    /// To ours as it is.
    Ours,
    /// Into this file, which begins anew with each start.
    File(PathBuf),
}

/// A child that runs, and was started again when it died.
#[derive(Debug)]
pub(super) struct Child {
    recipe: Recipe,
    process: Process,
    logs: Option<Logs>,
    deaths: VecDeque<Instant>,
    cpu: Duration,
    ended: bool,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended(ExitStatus);

impl Ended {
    /// It ended because it was done.
    pub(super) fn is_success(self) -> bool {
        self.0.success()
    }

    /// The row of the table of exit codes, if it ended by one that starting it again cannot change.
    pub(super) fn is_final(self) -> Option<Exit> {
        let exit = Exit::from_code(u8::try_from(self.0.code()?).ok()?)?;
        let passing = matches!(
            exit,
            Exit::Ok | Exit::Failure | Exit::NatsUnreachable | Exit::Panicked
        );
        (!passing).then_some(exit)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Child {
    /// Starts a child. Call it on the main thread: the leash ends with the thread that started it.
    pub(super) fn start(recipe: Recipe) -> anyhow::Result<Self> {
        let process = spawn(&recipe)?;
        Ok(Self {
            recipe,
            process,
            logs: None,
            deaths: VecDeque::new(),
            cpu: Duration::ZERO,
            ended: false,
        })
    }

    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        self.recipe.name
    }

    /// Passes its log on: as it is, or above our bars and with its name before each line.
    pub(super) fn pass_on_logs(&mut self, show: &Show) {
        let (name, write, named) = (self.recipe.name, show.lines(), show.owns_the_terminal());
        let write = move |line: &str| match named {
            true => write(&format!("{name}: {line}")),
            false => write(line),
        };
        let lines = self.process.stderr.take();
        self.logs = lines.map(|lines| Logs::pass_on(lines, write));
    }

    /// The last error that it logged before it ended.
    pub(super) async fn last_error(&mut self) -> Option<String> {
        self.logs.as_mut()?.last_error().await
    }

    /// CPU time of all that has ended: user and system, of the child and of what it waited for.
    pub(super) fn cpu(&self) -> Duration {
        self.cpu
    }

    /// Waits for the end of the process. Cancel safe; pending for ever once the end has been told.
    pub(super) async fn end(&mut self) -> io::Result<Ended> {
        if self.ended {
            return std::future::pending().await;
        }
        let pid = self.process.id();
        let mut died = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child())?;
        // Look before reaping: a process that has ended keeps its times until it is reaped.
        while let Some(pid) = pid.and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            if has_ended(pid)? {
                self.cpu += cpu_of(pid, Whose::AndItsChildren).unwrap_or_default();
                break;
            }
            died.recv().await;
        }
        let status = self.process.wait().await?;
        self.ended = true;
        Ok(Ended(status))
    }

    /// Starts it again after an end that nobody asked for; an error once that has happened too often.
    pub(super) fn restart(&mut self, after: Ended) -> Result<(), Failed> {
        let now = Instant::now();
        self.deaths.push_back(now);
        self.deaths
            .retain(|death| now.duration_since(*death) < PERIOD);
        if self.deaths.len() > RESTARTS {
            let message = anyhow!(
                "{} died {} times within {PERIOD:?}, the last time by {after}",
                self.name(),
                RESTARTS + 1
            );
            return Err(Failed::new(Exit::ChildDies, message));
        }
        self.process = spawn(&self.recipe)?;
        self.ended = false;
        Ok(())
    }

    /// Whether it has ended and was not started again.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Asks it to stop.
    pub(super) fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // Only a process that has not been reaped: its id cannot be another's.
        if let Some(pid) = self
            .process
            .id()
            .and_then(|pid| Pid::from_raw(pid.cast_signed()))
        {
            let _ = kill_process(pid, signal);
        }
    }
}

fn spawn(recipe: &Recipe) -> anyhow::Result<Process> {
    let mut command =
        Command::from(leash::command(recipe.program.as_os_str()).context("find our own program")?);
    command
        .args(&recipe.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(match &recipe.stderr {
            Stderr::PassedOn => Stdio::piped(),
            Stderr::Ours => Stdio::inherit(),
            Stderr::File(path) => File::create(path)
                .with_context(|| format!("write {}", path.display()))?
                .into(),
        })
        // A group of its own: Ctrl-C reaches us alone, and we stop the children in order.
        .process_group(0)
        .kill_on_drop(true);
    // A child hears of servers, cameras and settings from us, never from the shell that started us.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command.envs(recipe.environment.iter().map(|(name, value)| (name, value)));
    command
        .spawn()
        .with_context(|| format!("start {}", recipe.name))
}

fn is_setting(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"NATS_") || name.starts_with(b"CRISPY_")
}

fn has_ended(pid: Pid) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    Ok(waitid(WaitId::Pid(pid), options)?.is_some())
}

/// Whose time is counted.
#[derive(Clone, Copy)]
enum Whose {
    /// The process alone: ours, whose children have rows of their own.
    ItsOwn,
    /// What it has waited for too.
    AndItsChildren,
}

/// User and system time of a process, from /proc/{pid}/stat, fields 14 to 17 (proc_pid_stat(5)). Linux only; elsewhere nothing.
fn cpu_of(pid: Pid, whose: Whose) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The program's name, in parentheses, may hold anything: fields are counted from its end.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields
        .get(match whose {
            Whose::ItsOwn => 11..13,
            Whose::AndItsChildren => 11..15,
        })?
        .iter()
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// CPU time of this process so far.
pub(super) fn own_cpu() -> Duration {
    cpu_of(rustix::process::getpid(), Whose::ItsOwn).unwrap_or_default()
}

/// A program of ours: beside this one, else on PATH.
pub(super) fn find_ours(name: &str) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.with_file_name(name);
    if beside.is_file() {
        Some(beside)
    } else {
        find_on_path(name)
    }
}

/// A program on PATH.
pub(super) fn find_on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}
