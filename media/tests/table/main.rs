//! The table of frame identity: every source of the list is cut, FFmpeg decodes each chunk alone,
//! and its frames are compared with the source's. The rows are in docs/media.md:
//!
//! ```text
//!   sources ── cut ── decode each chunk alone ── compare ── rows ══ docs/media.md
//! ```
//!
//! A row that differs from the document fails, so every change of a figure is visible; `make
//! media-table` rewrites them. A row has only figures that are the same for every version of the
//! encoders: counts, never bytes.
#![allow(clippy::unwrap_used)] // Helpers of tests are test code too.

#[path = "../clip/mod.rs"]
mod clip;
mod fields;
mod row;
mod sources;

use std::path::Path;
use std::sync::Mutex;

use row::Row;
use sources::{SOURCES, Source};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/media.md");
const BEGIN: &str = "<!-- table of frame identity: written by `make media-table` -->\n";
const END: &str = "<!-- end of the table -->\n";

#[test]
fn every_frame_is_in_a_chunk_or_declared_missing() {
    let rows = rows();
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("the table's first line");
    let (written, after) = rest.split_once(END).expect("the table's last line");
    let found = rows.iter().map(Row::to_string).collect::<String>();
    let found = format!("{}{found}", row::HEAD);
    if std::env::var_os("CRISPY_WRITE_TABLE").is_some() {
        std::fs::write(
            Path::new(DOCUMENT),
            [before, BEGIN, &found, END, after].concat(),
        )
        .unwrap();
        return;
    }
    let differing: Vec<_> = found
        .lines()
        .filter(|line| !written.lines().any(|other| other == *line))
        .collect();
    assert!(
        found == written,
        "docs/media.md differs: run `make media-table`, and review the change.\n{}",
        differing.join("\n")
    );
}

/// The rows in the order of the list, two at a time.
fn rows() -> Vec<Row> {
    let next = Mutex::new(SOURCES.iter().enumerate());
    let rows = Mutex::new(Vec::new());
    let work = || {
        loop {
            let taken = next.lock().unwrap().next();
            let Some((place, source)) = taken else { break };
            let row = row(source);
            rows.lock().unwrap().push((place, row));
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Runs on a thread with the source's name, which a failure prints.
fn row(source: &'static Source) -> Row {
    let thread = std::thread::Builder::new().name(source.name.to_owned());
    let row = thread.spawn(|| Row::new(source)).unwrap();
    row.join().expect("the row above holds")
}
