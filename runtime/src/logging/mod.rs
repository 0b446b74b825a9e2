//! Log lines on stderr: text on a terminal, JSON elsewhere. stdout is for a command's output.
//!
//! ```text
//!   event ─► level ─► --log-chunks ─► rate limit ─► line: text, json, gcp ─► stderr
//! ```
//!
//! The first of these that is set decides about the level: `--log-level`, `CRISPY_LOG_LEVEL`,
//! `crispy.toml`, `RUST_LOG`, the program's [`Role`](crate::Role). It may name parts, as `RUST_LOG`
//! does: `info,crispy_queue=debug`.
//!
//! A line about one chunk that went well has the target [`CHUNKS`]: right for ten cameras, too much
//! for a thousand.

mod json;
mod rate_limit;
mod stderr;
#[cfg(test)]
pub(crate) mod testing;
mod text;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    env,
    io::{self, IsTerminal},
    panic,
    sync::OnceLock,
};

use clap::{Args, ValueEnum};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Level, Metadata, Subscriber, error, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    filter::{EnvFilter, FilterExt, FilterFn, filter_fn},
    layer::SubscriberExt,
    registry,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use json::{Json, Style};
pub(crate) use rate_limit::{RateLimitedLog, log_suppressed};
use stderr::Stderr;
pub use stderr::set_suspend;
use text::Text;

/// The target of lines about single chunks:
/// `info!(target: crispy_runtime::logging::CHUNKS, chunk = %id, "uploaded")`.
///
/// `--log-chunks problems` leaves out those below `warn`. Every problem of a chunk is a warning.
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
    /// The same in the words of Google Cloud Logging; with GOOGLE_CLOUD_PROJECT each line leads to
    /// its trace
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

/// Our own parts of a level. A test compares them with the workspace.
const PARTS: [&str; 17] = [
    "crispy",
    "crispy_bucket",
    "crispy_checksum",
    "crispy_fault",
    "crispy_fsync",
    "crispy_ingestor",
    "crispy_inspector",
    "crispy_jetstream",
    "crispy_media",
    "crispy_proto",
    "crispy_queue",
    "crispy_runtime",
    "crispy_source",
    "crispy_spool",
    "crispy_telemetry",
    "crispy_testbed",
    "crispy_uploader",
];

/// Reads a level as [`EnvFilter`] does, and refuses slips that it would take for an unknown part of
/// the program, which silences all others: a word that is no level, or a misspelt part of ours.
fn level(text: &str) -> Result<String, String> {
    const HELP: &str = "use off, error, warn, info, debug or trace, or PART=LEVEL for a part of a program, with commas between";
    for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        let Some(end) = word.find(['=', '[']) else {
            word.parse::<LevelFilter>()
                .map_err(|_| format!("{word:?} is no level: {HELP}"))?;
            continue;
        };
        let part = word[..end].split("::").next().unwrap_or_default();
        let ours = part.starts_with("crispy") || PARTS.contains(&&*format!("crispy_{part}"));
        if ours && !PARTS.contains(&part) {
            let parts = PARTS.join(", ");
            return Err(format!(
                "{part:?} is no part of a program: use one of {parts}"
            ));
        }
    }
    let parsed = EnvFilter::builder().parse(text);
    parsed
        .map(|_| text.to_owned())
        .map_err(|error| format!("{error}: {HELP}"))
}

/// The settings of this process' logs, for a parent that starts children.
static CHOSEN: OnceLock<Chosen> = OnceLock::new();

struct Chosen {
    level: Option<String>,
    format: LogFormat,
    chunks: LogChunks,
}

/// The requested level of this process; `None` without one.
pub fn chosen_level() -> Option<&'static str> {
    CHOSEN.get()?.level.as_deref()
}

/// The machine-readable form that was requested by name: `json` or `gcp`.
pub fn chosen_machine_format() -> Option<&'static str> {
    match CHOSEN.get()?.format {
        LogFormat::Json => Some("json"),
        LogFormat::Gcp => Some("gcp"),
        LogFormat::Auto | LogFormat::Text => None,
    }
}

/// The value of `--log-chunks`.
pub fn chosen_chunks() -> &'static str {
    match CHOSEN.get().map(|chosen| chosen.chunks) {
        Some(LogChunks::Problems) => "problems",
        _ => "all",
    }
}

/// Installs the process's logger, makes spans with `tracer`, and sends panics to the log. Once in a
/// process; [`main`](crate::main) does it.
///
/// The caller runs [`log_suppressed`] and flushes the rate limit at the end.
pub(crate) fn init(
    args: &LogArgs,
    default_level: &str,
    tracer: Option<SdkTracer>,
) -> RateLimitedLog {
    let wish = args
        .log_level
        .clone()
        // RUST_LOG belongs to all Rust programs: a slip in it must neither stop ours nor silence
        // it.
        .or_else(|| {
            level(&env::var("RUST_LOG").ok()?)
                .ok()
                .filter(|wish| !wish.is_empty())
        });
    let level = EnvFilter::builder().parse_lossy(wish.as_deref().unwrap_or(default_level));
    // OpenTelemetry logs each failed batch; our own lines are better. Its lines are shown if the
    // level names it.
    let inner = wish
        .as_ref()
        .is_some_and(|wish| wish.contains("opentelemetry"));
    // The first logger of a process is the one that stays.
    drop(CHOSEN.set(Chosen {
        level: wish,
        format: args.log_format,
        chunks: args.log_chunks,
    }));
    let rate_limit = RateLimitedLog::default();
    // Lines need only the ids of spans, which come from their context. Without traces a span must
    // cost nothing.
    let filter = filter_fn(|metadata| !metadata.is_span())
        .and(level)
        .and(chunks_filter(args.log_chunks))
        .and(filter_fn(move |metadata| {
            inner || !metadata.target().starts_with("opentelemetry")
        }))
        .and(rate_limit.clone());
    let subscriber = registry()
        .with(lines(args.log_format).with_filter(filter))
        .with(tracer.map(spans));
    // A test that embeds a program keeps its own logger.
    drop(subscriber.try_init());
    rate_limit.observe();
    panic::set_hook(Box::new(log_panic));
    rate_limit
}

/// The layer that writes lines.
fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(Stderr);
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

/// The layer that turns `tracing` spans into spans of a trace. Warnings and errors become events of
/// their span; other lines are only in the log.
///
/// It has a filter of its own: fewer log lines must not mean fewer spans.
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
    let payload = panic.payload_as_str().unwrap_or("(no message)");
    let place = panic.location().map(ToString::to_string);
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(
        panic = payload,
        place,
        backtrace,
        hint = "report this bug with this line",
        "panicked"
    );
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    #[test]
    fn parts_are_the_crates_of_the_workspace() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let manifests = fs::read_dir(root)
            .expect("the workspace")
            .filter_map(|folder| fs::read_to_string(folder.ok()?.path().join("Cargo.toml")).ok());
        let name = |manifest: String| {
            let line = manifest.lines().find(|line| line.starts_with("name = "))?;
            Some(line.split('"').nth(1)?.replace('-', "_"))
        };
        let crates: BTreeSet<_> = manifests.filter_map(name).collect();
        assert_eq!(crates, PARTS.map(str::to_owned).into());
    }

    #[test]
    fn misspelt_parts_and_levels_are_refused() {
        for right in [
            "WARN",
            "off",
            "info,crispy_queue::worker=debug",
            "crispy_queue[span]=trace,error",
            "async_nats=debug",
            "info,",
        ] {
            assert_eq!(level(right).as_deref(), Ok(right));
        }
        for (wrong, word) in [
            ("wran", "no level"),
            ("info,crispy_queu=debug", "crispy_queue"),
            ("queue=debug", "crispy_queue"),
        ] {
            let refusal = level(wrong).expect_err(wrong);
            assert!(refusal.contains(word), "{refusal}");
        }
    }
}
