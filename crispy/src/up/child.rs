//! One child process: its start, its restarts, its end and its CPU time.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fmt, fs, io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use crispy_runtime::{Exit, Failed, PARENT_VARIABLE};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::process::{Child as Process, Command};

use super::{child_log::ChildLog, display::SessionDisplay};
use crate::die_with_parent;

/// Restarts allowed within [`RESTART_PERIOD`]: beyond them a restart does not help.
const MAX_RESTARTS: usize = 5;
const RESTART_PERIOD: Duration = Duration::from_secs(60);

/// The command of a child, also for its restarts.
#[derive(Clone, Debug)]
pub(super) struct ChildCommand {
    /// Its name in messages and in the report.
    pub name: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Its arguments. No secrets: every user of the machine can list them.
    pub arguments: Vec<OsString>,
    /// Variables added to our environment: settings and secrets.
    pub environment: Vec<(&'static str, OsString)>,
    /// Destination of its stderr.
    pub stderr: Stderr,
    /// Whether it is one of our programs, which die with us if they are told who we are.
    pub ours: bool,
}

/// Destination of a child's stderr.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stderr {
    /// A pipe that [`Child::forward_log`] reads.
    Piped,
    /// Our own stderr.
    Inherited,
}

/// A child process, restarted when it dies.
#[derive(Debug)]
pub(super) struct Child {
    command: ChildCommand,
    process: Process,
    log: Option<ChildLog>,
    exits: VecDeque<Instant>,
    cpu: Duration,
    ended: bool,
}

/// Exit status of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChildStatus(ExitStatus);

impl ChildStatus {
    /// Whether it ended without an error.
    pub(super) fn is_success(self) -> bool {
        self.0.success()
    }

    /// The exit code, if a restart cannot change it.
    pub(super) fn permanent_failure(self) -> Option<Exit> {
        let exit = Exit::from_code(u8::try_from(self.0.code()?).ok()?)?;
        let is_transient = matches!(
            exit,
            Exit::Ok | Exit::Failure | Exit::NatsUnreachable | Exit::Panicked
        );
        (!is_transient).then_some(exit)
    }
}

impl fmt::Display for ChildStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Child {
    /// Starts a child. Call it on the main thread: the child dies with the thread that starts it.
    pub(super) fn start(command: ChildCommand) -> anyhow::Result<Self> {
        let process = spawn(&command)?;
        Ok(Self {
            command,
            process,
            log: None,
            exits: VecDeque::new(),
            cpu: Duration::ZERO,
            ended: false,
        })
    }

    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        self.command.name
    }

    /// Forwards its log: unchanged, or above our bars with its name before each line.
    pub(super) fn forward_log(&mut self, display: &SessionDisplay) {
        let (name, write) = (self.command.name, display.line_writer());
        let add_name = display.owns_terminal();
        let write = move |line: &str| match add_name {
            true => write(&format!("{name}: {line}")),
            false => write(line),
        };
        let lines = self.process.stderr.take();
        self.log = lines.map(|lines| ChildLog::forward(lines, write));
    }

    /// The last error in its log.
    pub(super) async fn last_error(&mut self) -> Option<String> {
        self.log.as_mut()?.last_error().await
    }

    /// User and system CPU time of all its ended processes and their children.
    pub(super) fn cpu(&self) -> Duration {
        self.cpu
    }

    /// Waits for the end of the process. Cancel safe; pending forever after it has returned once.
    pub(super) async fn wait(&mut self) -> io::Result<ChildStatus> {
        if self.ended {
            return std::future::pending().await;
        }
        let pid = self.process.id();
        let mut child_signal =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::child())?;
        // A process that has ended keeps its times until it is reaped: read them before.
        while let Some(pid) = pid.and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            if has_ended(pid)? {
                self.cpu += cpu_of(pid, Scope::WithChildren).unwrap_or_default();
                break;
            }
            child_signal.recv().await;
        }
        let status = self.process.wait().await?;
        self.ended = true;
        Ok(ChildStatus(status))
    }

    /// Restarts it after an unrequested end; an error if that happens too often.
    pub(super) fn restart(&mut self, after: ChildStatus) -> Result<(), Failed> {
        let now = Instant::now();
        self.exits.push_back(now);
        self.exits
            .retain(|exit| now.duration_since(*exit) < RESTART_PERIOD);
        if self.exits.len() > MAX_RESTARTS {
            let message = anyhow!(
                "{} died {} times within {RESTART_PERIOD:?}, last with {after}",
                self.name(),
                MAX_RESTARTS + 1
            );
            return Err(Failed::new(Exit::ChildDies, message));
        }
        self.process = spawn(&self.command)?;
        self.ended = false;
        Ok(())
    }

    /// Whether it has ended and was not restarted.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Sends SIGTERM.
    pub(super) fn request_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGKILL.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // Only before the process is reaped: its id cannot be another's.
        if let Some(pid) = self
            .process
            .id()
            .and_then(|pid| Pid::from_raw(pid.cast_signed()))
        {
            let _ = kill_process(pid, signal);
        }
    }
}

fn spawn(child: &ChildCommand) -> anyhow::Result<Process> {
    let mut command = if child.ours {
        Command::new(&child.program)
    } else {
        let command = die_with_parent::command(child.program.as_os_str());
        Command::from(command.context("find our own program")?)
    };
    command
        .args(&child.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(match child.stderr {
            Stderr::Piped => Stdio::piped(),
            Stderr::Inherited => Stdio::inherit(),
        })
        // Its own process group: Ctrl-C reaches only us, and we stop the children in order.
        .process_group(0)
        .kill_on_drop(true);
    // Servers, cameras and settings come from us, never from the shell that started us.
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command
        .envs(child.environment.iter().map(|(name, value)| (name, value)))
        .env(PARENT_VARIABLE, std::process::id().to_string());
    command
        .spawn()
        .with_context(|| format!("start {}", child.name))
}

fn is_setting(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"NATS_") || name.starts_with(b"CRISPY_")
}

fn has_ended(pid: Pid) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    Ok(waitid(WaitId::Pid(pid), options)?.is_some())
}

/// Processes whose time is counted.
#[derive(Clone, Copy)]
enum Scope {
    /// The process alone: for ours, whose children have their own rows.
    Alone,
    /// Also the children that it has waited for.
    WithChildren,
}

/// User and system time of a process, from /proc/{pid}/stat, fields 14 to 17 (proc_pid_stat(5)).
/// Linux only; `None` elsewhere.
fn cpu_of(pid: Pid, scope: Scope) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The program's name in parentheses may hold anything: count fields from its end.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields
        .get(match scope {
            Scope::Alone => 11..13,
            Scope::WithChildren => 11..15,
        })?
        .iter()
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Some(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// CPU time of this process so far.
pub(super) fn own_cpu() -> Duration {
    cpu_of(rustix::process::getpid(), Scope::Alone).unwrap_or_default()
}

/// Finds a program of ours: beside this one, else on PATH.
pub(super) fn find_ours(name: &str) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.with_file_name(name);
    if beside.is_file() {
        Some(beside)
    } else {
        find_on_path(name)
    }
}

/// Finds a program on PATH.
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
