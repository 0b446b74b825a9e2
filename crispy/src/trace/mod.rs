//! `crispy trace`: the way of one chunk, drawn in the terminal.
//!
//! ```text
//!   chunk id ───────────────► search by what spans say ─┐
//!   object ─► its metadata ─► traceparent ──────────────┼─► Jaeger ─► spans ─► tree ─► waterfall │ JSON lines
//!   trace id ───────────────────────────────────────────┘   (jaeger.rs alone asks; the rest is pure)
//! ```

mod answer;
mod find;
pub(crate) mod jaeger;
mod journey;
mod jsonl;
mod older;
mod otlp;
mod services;
mod span;
mod tree;
mod wanted;
mod waterfall;

use std::{
    env,
    io::{self, IsTerminal},
    time::Duration,
};

use crispy_runtime::Failed;

use crate::output::{Form, print};
pub(crate) use find::{Shown, of_failed, of_run};
use jaeger::{DEFAULT_URL, Jaeger};
pub(crate) use span::TraceId;
use wanted::Wanted;
pub(crate) use wanted::of_traceparent;

/// Columns of the picture where there is no terminal to ask, and `COLUMNS` is not set.
const WIDTH: usize = 132;

/// Show the way of one chunk: what each program did with it, when, and how long it took
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Trace {
    /// A chunk (site/camera/run/sequence, as logs and dead letters name it), its object's key or URL, or a trace: its id, page or traceparent
    #[arg(value_name = "CHUNK")]
    wanted: Wanted,

    #[command(flatten)]
    jaeger: JaegerFlags,

    /// Bucket of an object that is given by its key
    #[arg(
        long,
        env = "CRISPY_BUCKET",
        value_name = "URL",
        hide_env_values = true
    )]
    bucket: Option<String>,

    #[command(flatten)]
    options: crispy_runtime::BucketFlags,

    /// How far back a search for a chunk goes
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = crispy_runtime::settings::duration)]
    lookback: Duration,

    /// How long to wait for a trace that is not there: spans come some seconds after the work
    #[arg(long, value_name = "TIME", default_value = "6s", value_parser = crispy_runtime::settings::duration)]
    wait: Duration,

    /// What is written to stdout
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: Form,
}

/// Where traces are looked up.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct JaegerFlags {
    /// Jaeger's pages and query API
    #[arg(long, env = "CRISPY_JAEGER_URL", value_name = "URL", default_value = DEFAULT_URL, hide_env_values = true)]
    pub(crate) jaeger_url: String,
}

const EXAMPLES: &str = "\
Examples:
  crispy trace demo/front/01M82C7XJ5HSDAXZ4F9DVKKH71/0000000003
  crispy trace gs://my-video/shop-12/v1/shop-12/till/2026/11/22/19/1795376284197-4440000-01M82C7XJ5HSDAXZ4F9DVKKH71-0000000001.mp4
  crispy trace 4bf92f3577b34da6a3ce929d0e0e4736 -o jsonl | jq 'select(.error)'

An object is looked up by the trace that its metadata names. A chunk that was cut again when its spool had let go of it has a trace for each time; all are shown.
It ends with 47 if Jaeger does not answer, 55 if it has no such trace.";

/// Finds the trace and draws it.
pub(crate) async fn run(trace: Trace) -> Result<(), Failed> {
    let jaeger = Jaeger::at(&trace.jaeger.jaeger_url)?;
    let journeys = find::journeys(&trace, &jaeger).await?;
    for (number, journey) in journeys.iter().enumerate() {
        let page = jaeger.page(&journey.trace);
        match trace.output {
            Form::Table => {
                let between = if number > 0 { "\n" } else { "" };
                let picture = waterfall::render(journey, width(), &page);
                print(&format!("{between}{}", picture.trim_end()))?;
            }
            Form::Jsonl => {
                for line in jsonl::lines(journey, &page) {
                    print(&line.to_string())?;
                }
            }
        }
    }
    Ok(())
}

/// The terminal's width, else what `COLUMNS` says, as for other programs that draw.
fn width() -> usize {
    let stdout = io::stdout();
    let asked = stdout
        .is_terminal()
        .then(|| rustix::termios::tcgetwinsize(&stdout));
    match asked {
        Some(Ok(size)) if size.ws_col > 0 => return size.ws_col.into(),
        _ => {}
    }
    let told = env::var("COLUMNS").ok();
    let told = told.and_then(|columns| columns.parse().ok());
    told.filter(|columns| *columns > 0).unwrap_or(WIDTH)
}
