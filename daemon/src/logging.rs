//! Log lines on stderr: for people on a terminal, JSON elsewhere. stdout belongs to what a program was asked for.
//!
//! The first that says something decides about the level: `--log-level`, `CRISPY_LOG_LEVEL`, `crispy.toml`,
//! `RUST_LOG`, the program's [`Role`](crate::Role). It may name parts, as `RUST_LOG` does: `info,queue=debug`.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::{env, panic};

use clap::{Args, ValueEnum};
use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The flags about logs, which every program has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// Least level that is logged, or RUST_LOG's syntax for more
    #[arg(long, global = true, env = "CRISPY_LOG_LEVEL", value_name = "LEVEL", value_parser = level)]
    pub log_level: Option<String>,
    /// Form of the log lines
    #[arg(
        long,
        global = true,
        env = "CRISPY_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "auto"
    )]
    pub log_format: LogFormat,
}

/// The form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere
    Auto,
    /// For people; in colour on a terminal unless NO_COLOR is set
    Text,
    /// One object a line
    Json,
}

impl LogFormat {
    fn is_json(self) -> bool {
        match self {
            LogFormat::Auto => !io::stderr().is_terminal(),
            LogFormat::Text => false,
            LogFormat::Json => true,
        }
    }
}

fn level(text: &str) -> Result<String, tracing_subscriber::filter::ParseError> {
    EnvFilter::builder().parse(text).map(|_| text.to_owned())
}

/// What the process was told about its logs, for a parent that starts children.
static CHOSEN: OnceLock<(Option<String>, bool)> = OnceLock::new();

/// The level that somebody asked this process for; `None`: nobody did.
pub fn chosen_level() -> Option<&'static str> {
    CHOSEN.get()?.0.as_deref()
}

/// Whether this process was told, by name, to log JSON.
pub fn writes_json() -> bool {
    CHOSEN.get().is_some_and(|(_, json)| *json)
}

/// Installs the process's logger and sends panics to it. Once a process; [`main`](crate::main) does it.
pub(crate) fn init(args: &LogArgs, default_level: &str) {
    let wish = args
        .log_level
        .clone()
        .or_else(|| env::var("RUST_LOG").ok().filter(|wish| !wish.is_empty()));
    // The first logger of a process is the one that stays.
    drop(CHOSEN.set((wish.clone(), args.log_format == LogFormat::Json)));
    // `lossy`: a slip in RUST_LOG, which belongs to all Rust programs, must not keep ours from starting.
    let filter = EnvFilter::builder().parse_lossy(wish.as_deref().unwrap_or(default_level));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines);
    let installed = if args.log_format.is_json() {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init()
    } else {
        let colour = io::stderr().is_terminal()
            && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        lines.with_ansi(colour).with_target(false).try_init()
    };
    // A test that embeds a program has a logger of its own, and keeps it.
    drop(installed);
    panic::set_hook(Box::new(log_panic));
}

fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("(no message)");
    let place = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(place, backtrace, "panicked: {message}");
}

/// Shows something on the terminal that has to step aside for a log line: runs the closure while it does.
type StepAside = dyn Fn(&mut dyn FnMut()) + Send + Sync;

static STEP_ASIDE: OnceLock<Box<StepAside>> = OnceLock::new();

/// Has each log line written inside `around`: a progress bar takes itself off the terminal, calls its argument, and
/// draws itself again (`indicatif::MultiProgress::suspend`). The first call in a process counts.
pub fn step_aside(around: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) {
    // A second one would mean two painters on one terminal: the first keeps it.
    drop(STEP_ASIDE.set(Box::new(around)));
}

/// stderr, one write a line.
struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        Lines
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut written = Ok(0);
        let mut write = || written = io::stderr().write(line);
        match STEP_ASIDE.get() {
            Some(around) => around(&mut write),
            None => write(),
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
