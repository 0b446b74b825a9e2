//! What an operator sees of a session: bars while it runs, a table or JSON lines at the end.
//!
//! Answers go to stdout, everything about the way there to stderr, so that `crispy up -o jsonl > chunks.jsonl` just works.

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
use super::{config::Output, session::Session};
use crate::output::print;

/// What is left to say when all is done.
#[derive(Debug)]
pub(super) struct Closing<'a> {
    /// What was seen.
    pub session: &'a Session,
    /// Wall-clock time of the session.
    pub elapsed: Duration,
    /// CPU time of each process.
    pub cpu: Vec<(String, Duration)>,
    /// Where the objects are.
    pub bucket: &'a str,
    /// An object that can be played.
    pub sample: Option<&'a str>,
    /// The page of a trace of it.
    pub trace: Option<&'a str>,
    /// What went wrong, if anything did.
    pub problem: Option<String>,
}

/// The display of one session.
pub(super) struct Show {
    output: Output,
    bars: Option<Arc<Bars>>,
}

impl Show {
    /// Bars if there is a terminal to draw them on.
    pub(super) fn new(output: Output) -> Self {
        let bars = io::stderr().is_terminal().then(|| Arc::new(Bars::new()));
        if let Some(bars) = bars.clone() {
            crispy_runtime::logging::step_aside(move |write| bars.suspend(write));
        }
        Self { output, bars }
    }

    /// Whether the terminal is ours: then children must not write to it.
    pub(super) fn owns_the_terminal(&self) -> bool {
        self.bars.is_some()
    }

    /// A way to write lines above the bars, for another task.
    pub(super) fn lines(&self) -> impl Fn(&str) + Send + 'static {
        let bars = self.bars.clone();
        move |line| match &bars {
            Some(bars) => bars.line(line),
            None => drop(writeln!(io::stderr(), "{line}")),
        }
    }

    /// A chunk was inspected.
    pub(super) fn inspected(&self, inspected: &ChunkInspected) -> io::Result<()> {
        match self.output {
            Output::Jsonl => print(&jsonl::chunk(inspected).to_string()),
            Output::Table => Ok(()),
        }
    }

    /// The session has come further.
    pub(super) fn progress(&self, session: &Session) {
        if let Some(bars) = &self.bars {
            bars.update(session);
        }
    }

    /// All is done.
    pub(super) fn close(&self, closing: &Closing<'_>) -> io::Result<()> {
        if let Some(bars) = &self.bars {
            bars.clear();
        }
        match self.output {
            Output::Jsonl => print(&jsonl::summary(closing).to_string()),
            // A session that came to nothing has nothing to tabulate: its error says all.
            Output::Table if closing.problem.is_some() && closing.session.totals().chunks == 0 => {
                Ok(())
            }
            Output::Table => print(&table::render(closing)),
        }
    }
}
