//! `crispy-ingestor probe`: a report on a source and its cutting, the first question about a
//! camera.
//!
//! ```text
//!   open (as for recording) ─► crispy_media::analyze ─► Report ─► table or JSON
//!                              reads, writes nothing   (pure)
//! ```

mod report;
mod table;
mod warnings;

use std::{
    io::{self, Write},
    time::Duration,
};

use anyhow::Context;
use crispy_media::{EndReason, ReadError, StopFlag};
use crispy_runtime::{Exit, Failed, Stop, WithExit, cut::CutFlags};

use crate::open::open;
use report::Report;

/// Default limit for URLs: enough for every habit of a camera to show, and a few seconds to fetch.
const URL_LIMIT: Duration = Duration::from_secs(60);

/// Report on a video file or URL, its cutting and its problems; nothing is recorded
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Probe {
    /// Path of a video file, or URL of one or of a playlist
    #[arg(value_name = "FILE|URL")]
    source: String,

    /// Its cutting.
    #[command(flatten)]
    cut: CutFlags,

    /// Length to read, as 60s, or `none` for all of it [default: all of a file, 60s of a
    /// URL]
    #[arg(long, value_name = "DURATION", value_parser = limit)]
    limit: Option<Limit>,

    /// Format of the report
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  crispy-ingestor probe clip.mp4
  crispy-ingestor probe https://cam:secret@nvr/export.mp4 --limit none --window 10s
  crispy-ingestor probe yard.mkv -o json | jq .warnings

It ends with the exit code with which recording the source would end.";

/// The length to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    /// All of it.
    None,
    /// So much of its own time.
    Of(Duration),
}

fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit::None);
    }
    let limit = crispy_runtime::settings::duration(text).map_err(|error| error.to_string())?;
    if limit.is_zero() {
        return Err("no video gives no report; give a time such as 60s, or none".to_owned());
    }
    Ok(Limit::Of(limit))
}

/// The format of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people
    Table,
    /// One object, for programs
    Json,
}

/// Opens, reads, prints the report, and fails as recording would.
pub(crate) async fn run(probe: Probe, stop: Stop) -> Result<(), Failed> {
    let flag = crate::stop_flag(&stop);
    let output = probe.output;
    let (report, end) = tokio::task::spawn_blocking(move || read(&probe, &flag))
        .await
        .map_err(|panic| Failed::new(Exit::Failure, panic))??;
    let text = match output {
        Output::Table => table::render(&report),
        Output::Json => serde_json::to_string_pretty(&report)?,
    };
    writeln!(io::stdout().lock(), "{text}").context("write the report")?;
    match end {
        EndReason::EndOfSource | EndReason::Limit => Ok(()),
        EndReason::Failed(error @ ReadError::NoKeyFrame { .. }) => {
            Err(error).exit(Exit::SourceNotVideo)
        }
        EndReason::Failed(error) => Err(error).exit(Exit::SourceUnreadable),
    }
}

/// Reads a source as recording does. Blocks the calling thread.
fn read(probe: &Probe, stop: &StopFlag) -> Result<(Report, EndReason), Failed> {
    let source = open(&probe.source, &probe.cut, stop)?;
    let limit = match probe.limit {
        Some(Limit::None) => None,
        Some(Limit::Of(limit)) => Some(limit),
        None => crispy_source::is_url(&probe.source).then_some(URL_LIMIT),
    };
    let audio = source.chunks.audio_codecs();
    let analysis = crispy_media::analyze(source.chunks, limit);
    let clock = source.identity.clock();
    let report = Report::new(&probe.source, &probe.cut, limit, &clock, audio, &analysis);
    Ok((report, analysis.end))
}
