//! Displays a session: bars while it runs, then a table, or JSON lines.
//!
//! Results go to stdout, progress and logs to stderr, so that `crispy up -o jsonl > chunks.jsonl`
//! works.

mod bars;
mod jsonl;
mod table;

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
    time::Duration,
};

use crispy_proto::v1::ChunkInspected;

use self::bars::Bars;
use super::session::Session;
use crate::output::{Format, print};

/// Report at the end of a session.
#[derive(Debug)]
pub(super) struct SessionReport<'a> {
    /// The session.
    pub session: &'a Session,
    /// Wall-clock time of the session.
    pub elapsed: Duration,
    /// CPU time of each process.
    pub cpu: Vec<(String, Duration)>,
    /// URL of the bucket.
    pub bucket: &'a str,
    /// An object that can be played.
    pub sample: Option<&'a str>,
    /// The page of a trace of this session.
    pub trace: Option<&'a str>,
    /// The error, if there was one.
    pub problem: Option<String>,
}

/// Display of one session.
pub(super) struct SessionDisplay {
    format: Format,
    bars: Option<Arc<Bars>>,
}

impl SessionDisplay {
    /// A display, with bars if stderr is a terminal.
    pub(super) fn new(format: Format) -> Self {
        let bars = io::stderr().is_terminal().then(|| Arc::new(Bars::new()));
        if let Some(bars) = bars.clone() {
            crispy_runtime::logging::set_suspend(move |write| bars.suspend(write));
        }
        Self { format, bars }
    }

    /// Whether bars are drawn: then children must not write to the terminal.
    pub(super) fn owns_terminal(&self) -> bool {
        self.bars.is_some()
    }

    /// A function for other tasks that writes lines above the bars.
    pub(super) fn line_writer(&self) -> impl Fn(&str) + Send + 'static {
        let bars = self.bars.clone();
        move |line| match &bars {
            Some(bars) => bars.line(line),
            None => drop(writeln!(io::stderr(), "{line}")),
        }
    }

    /// Prints the line of an inspected chunk.
    pub(super) fn inspected(&self, inspected: &ChunkInspected) -> io::Result<()> {
        match self.format {
            Format::Jsonl => print(&jsonl::chunk(inspected).to_string()),
            Format::Table => Ok(()),
        }
    }

    /// Redraws the bars.
    pub(super) fn update(&self, session: &Session) {
        if let Some(bars) = &self.bars {
            bars.update(session);
        }
    }

    /// Removes the bars and prints the report.
    pub(super) fn close(&self, report: &SessionReport<'_>) -> io::Result<()> {
        if let Some(bars) = &self.bars {
            bars.clear();
        }
        match self.format {
            Format::Jsonl => print(&jsonl::summary(report).to_string()),
            // A failed session without chunks has no table, only its error.
            Format::Table if report.problem.is_some() && report.session.totals().chunks == 0 => {
                Ok(())
            }
            Format::Table => print(&table::render(report)),
        }
    }
}
