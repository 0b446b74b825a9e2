//! `crispy trace`: draws the trace of one chunk in the terminal.
//!
//! ```text
//!   chunk id ────────────► search by attributes ─┐
//!   object ─► its metadata ─► traceparent ───────┼─► Jaeger ─► spans ─► tree ─► waterfall, JSONL
//!   trace id ────────────────────────────────────┘  (only jaeger.rs sends requests)
//! ```

mod find;
pub(crate) mod jaeger;
mod jsonl;
mod otlp;
mod query;
mod search;
mod span;
mod summary;
mod tree;
mod waterfall;

use std::{
    env,
    io::{self, IsTerminal},
    time::Duration,
};

use crispy_runtime::Failed;

use crate::output::{Format, print};
pub(crate) use find::{FoundTrace, find_failed, find_run};
use jaeger::{DEFAULT_URL, Jaeger};
use query::Query;
pub(crate) use query::parse_traceparent;
pub(crate) use span::TraceId;

/// Width of the waterfall without a terminal and without `COLUMNS`.
const DEFAULT_WIDTH: usize = 132;

/// Draw the trace of one chunk: each step, its start and its duration
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Trace {
    /// A chunk (site/camera/run/sequence, as in logs and dead letters), its object's key or URL, or
    /// a trace: its id, page or traceparent
    #[arg(value_name = "CHUNK")]
    query: Query,

    #[command(flatten)]
    jaeger: JaegerFlags,

    /// Bucket of an object that is named by its key
    #[arg(
        long,
        env = "CRISPY_BUCKET",
        value_name = "URL",
        hide_env_values = true
    )]
    bucket: Option<String>,

    #[command(flatten)]
    options: crispy_runtime::BucketFlags,

    /// Age limit of a search for a chunk
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = crispy_runtime::settings::duration)]
    lookback: Duration,

    /// Time to wait for a trace that has not arrived: spans are sent some seconds after the work
    #[arg(long, value_name = "TIME", default_value = "6s", value_parser = crispy_runtime::settings::duration)]
    wait: Duration,

    /// Format of stdout
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

/// The Jaeger in which traces are looked up.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct JaegerFlags {
    /// Address of Jaeger's pages and query API
    #[arg(long, env = "CRISPY_JAEGER_URL", value_name = "URL", default_value = DEFAULT_URL, hide_env_values = true)]
    pub(crate) jaeger_url: String,
}

const EXAMPLES: &str = "\
Examples:
  crispy trace demo/front/01M82C7XJ5HSDAXZ4F9DVKKH71/0000000003
  crispy trace gs://my-video/shop-12/v1/shop-12/till/2026/11/22/19/1795376284197-4440000-01M82C7XJ5HSDAXZ4F9DVKKH71-0000000001.mp4
  crispy trace 4bf92f3577b34da6a3ce929d0e0e4736 -o jsonl | jq 'select(.error)'

An object is looked up by the trace id in its metadata. A chunk that was cut again after its spool had freed it has one trace each time; all are shown.
Exit code 47: Jaeger does not answer. 55: it has no such trace.";

/// Finds the traces and draws them.
pub(crate) async fn run(trace: Trace) -> Result<(), Failed> {
    let jaeger = Jaeger::new(&trace.jaeger.jaeger_url)?;
    let traces = find::traces(&trace, &jaeger).await?;
    for (number, found) in traces.iter().enumerate() {
        let page = jaeger.page(&found.id);
        match trace.output {
            Format::Table => {
                let separator = if number > 0 { "\n" } else { "" };
                let waterfall = waterfall::render(found, width(), &page);
                print(&format!("{separator}{}", waterfall.trim_end()))?;
            }
            Format::Jsonl => {
                for line in jsonl::lines(found, &page) {
                    print(&line.to_string())?;
                }
            }
        }
    }
    Ok(())
}

/// The terminal's width, else `COLUMNS`.
fn width() -> usize {
    let stdout = io::stdout();
    let size = stdout
        .is_terminal()
        .then(|| rustix::termios::tcgetwinsize(&stdout));
    if let Some(Ok(size)) = size
        && size.ws_col > 0
    {
        return size.ws_col.into();
    }
    let columns = env::var("COLUMNS").ok();
    let columns = columns.and_then(|columns| columns.parse().ok());
    columns
        .filter(|columns| *columns > 0)
        .unwrap_or(DEFAULT_WIDTH)
}
