//! Log lines on stderr: for people on a terminal, JSON elsewhere. stdout belongs to what a program was asked for.
//!
//! ```text
//!   event ─► level ─► --log-chunks ─► bursts ─► line: text, json, gcp ─► stderr
//!                                       └ the same warning from the same place: 20 a minute, then one line that counts the rest
//! ```
//!
//! The first that says something decides about the level: `--log-level`, `CRISPY_LOG_LEVEL`, `crispy.toml`,
//! `RUST_LOG`, the program's [`Role`](crate::Role). It may name parts, as `RUST_LOG` does: `info,queue=debug`.
//!
//! A line about one chunk that went well has the target [`CHUNKS`]: right for ten cameras, too much for a thousand.

mod json;
mod rate_limit;
mod stderr;
#[cfg(test)]
pub(crate) mod testing;
mod text;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::{env, panic};

use clap::{Args, ValueEnum};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber, error};
use tracing_subscriber::filter::{EnvFilter, FilterExt, FilterFn, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

use json::{Json, Style};
pub(crate) use rate_limit::{RateLimitedLog, keep_sweeping};
pub(crate) use stderr::Lines;
pub use stderr::step_aside;
use text::Text;

/// The target of lines about single chunks: `info!(target: crispy_runtime::logging::CHUNKS, chunk = %id, "uploaded")`.
///
/// Those above `warn` are left out with `--log-chunks problems`. Everything that is wrong with a chunk is a warning.
pub const CHUNKS: &str = "chunks";

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
    /// Which chunks have a line in the log
    #[arg(
        long,
        global = true,
        env = "CRISPY_LOG_CHUNKS",
        value_name = "WHICH",
        default_value = "all"
    )]
    pub log_chunks: LogChunks,
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
    /// The same in the words of Google Cloud Logging; with GOOGLE_CLOUD_PROJECT each line leads to its trace
    Gcp,
}

/// Which chunks have a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogChunks {
    /// Every one: right for ten cameras
    All,
    /// Those that something is wrong with: right for a thousand
    Problems,
}

/// As [`EnvFilter`] reads it, but for a word that is no level: that would be a part of a program, and all the others silent, be it by a slip.
fn level(text: &str) -> Result<String, String> {
    const HELP: &str = "use off, error, warn, info, debug or trace, or PART=LEVEL for a part of a program, with commas between";
    let plain = |wish: &&str| !wish.contains(['=', '[']) && !wish.trim().is_empty();
    let mut words = text.split(',').filter(plain);
    if let Some(word) = words.find(|word| word.trim().parse::<LevelFilter>().is_err()) {
        return Err(format!("{:?} is no level: {HELP}", word.trim()));
    }
    let parsed = EnvFilter::builder().parse(text);
    parsed
        .map(|_| text.to_owned())
        .map_err(|error| format!("{error}: {HELP}"))
}

/// What the process was told about its logs, for a parent that starts children.
static CHOSEN: OnceLock<Chosen> = OnceLock::new();

struct Chosen {
    level: Option<String>,
    format: LogFormat,
    chunks: LogChunks,
}

/// The level that somebody asked this process for; `None`: nobody did.
pub fn chosen_level() -> Option<&'static str> {
    CHOSEN.get()?.level.as_deref()
}

/// The form for machines that this process was told, by name, to log in: `json` or `gcp`.
pub fn chosen_machine_format() -> Option<&'static str> {
    match CHOSEN.get()?.format {
        LogFormat::Json => Some("json"),
        LogFormat::Gcp => Some("gcp"),
        LogFormat::Auto | LogFormat::Text => None,
    }
}

/// Which chunks this process logs, as `--log-chunks` takes it.
pub fn chosen_chunks() -> &'static str {
    match CHOSEN.get().map(|chosen| chosen.chunks) {
        Some(LogChunks::Problems) => "problems",
        _ => "all",
    }
}

/// Installs the process's logger, has spans made with `tracer`, and sends panics to the log. Once a process; [`main`](crate::main) does it.
///
/// The bursts that are summarised are the caller's to sweep.
pub(crate) fn init(
    args: &LogArgs,
    default_level: &str,
    tracer: Option<SdkTracer>,
) -> RateLimitedLog {
    let wish = args
        .log_level
        .clone()
        // A slip in RUST_LOG, which belongs to all Rust programs, must neither keep ours from starting nor silence it.
        .or_else(|| {
            level(&env::var("RUST_LOG").ok()?)
                .ok()
                .filter(|wish| !wish.is_empty())
        });
    let level = EnvFilter::builder().parse_lossy(wish.as_deref().unwrap_or(default_level));
    // OpenTelemetry's own lines come by the batch, and ours say it better: they are for whoever asks for them by name.
    let inner = wish
        .as_ref()
        .is_some_and(|wish| wish.contains("opentelemetry"));
    // The first logger of a process is the one that stays.
    drop(CHOSEN.set(Chosen {
        level: wish,
        format: args.log_format,
        chunks: args.log_chunks,
    }));
    let bursts = RateLimitedLog::default();
    // Lines need no spans, only their ids, which come by another way: where no traces are made, a span is to cost nothing.
    let filter = filter_fn(|metadata| !metadata.is_span())
        .and(level)
        .and(chunks_filter(args.log_chunks))
        .and(filter_fn(move |metadata| {
            inner || !metadata.target().starts_with("opentelemetry")
        }))
        .and(bursts.clone());
    let subscriber = registry()
        .with(lines(args.log_format).with_filter(filter))
        .with(tracer.map(spans));
    // A test that embeds a program has a logger of its own, and keeps it.
    drop(subscriber.try_init());
    bursts.observe();
    panic::set_hook(Box::new(log_panic));
    bursts
}

/// The layer that writes lines.
fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(Lines);
    let terminal = io::stderr().is_terminal();
    let json = |style| Json { style };
    match format {
        LogFormat::Auto if !terminal => layer.event_format(json(Style::Plain)).boxed(),
        LogFormat::Json => layer.event_format(json(Style::Plain)).boxed(),
        LogFormat::Gcp => layer.event_format(json(Style::gcp())).boxed(),
        LogFormat::Auto | LogFormat::Text => {
            let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            layer
                .with_ansi(terminal && !plain)
                .event_format(Text)
                .boxed()
        }
    }
}

/// The layer that makes spans of `tracing` spans of a trace. What is logged as a problem becomes part of its span; the rest is in the log.
///
/// It has a filter of its own: who wants fewer lines does not want fewer spans.
fn spans<S>(tracer: SdkTracer) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let wanted = |metadata: &Metadata<'_>| {
        let least = if metadata.is_span() {
            Level::INFO
        } else {
            Level::WARN
        };
        *metadata.level() <= least
    };
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_level(false)
        .with_filter(FilterFn::new(wanted).with_max_level_hint(LevelFilter::INFO))
}

fn chunks_filter(which: LogChunks) -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    filter_fn(move |metadata| {
        which == LogChunks::All || metadata.target() != CHUNKS || *metadata.level() <= Level::WARN
    })
}

fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("(no message)");
    let place = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(
        place,
        backtrace,
        "panicked: {message}; this is a mistake in the program and not yours: report it with this line"
    );
}
