//! Answers on stdout: for people or for programs.

use std::io::{self, Write};

/// What is written to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Form {
    /// For people
    Table,
    /// One JSON object a line, each with a type
    Jsonl,
}

/// One write a line: whoever reads along never sees half of one.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(format!("{text}\n").as_bytes());
    let written = written.and_then(|()| stdout.flush());
    written.map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("write the results to stdout: {error}"),
        )
    })
}
