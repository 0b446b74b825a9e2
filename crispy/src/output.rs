//! Output formats, and writing to stdout.

use std::io::{self, Write};

/// Format of stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Tables, for people
    Table,
    /// One JSON object a line, each with a `type`
    Jsonl,
}

/// Writes a line to stdout in one write, so that readers never see half of one.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(format!("{text}\n").as_bytes());
    let written = written.and_then(|()| stdout.flush());
    written.map_err(|error| io::Error::new(error.kind(), format!("write to stdout: {error}")))
}
