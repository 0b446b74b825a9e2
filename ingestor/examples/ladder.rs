//! The ingestor's work up to a step: `ladder cut|hash|keep FILE [SPOOL]`. The cost of a step is the
//! difference of two runs (`make bench`).
//!
//! ```text
//!   cut    chunks cut and muxed in memory, then dropped
//!   hash   the same, and CRC32C and SHA-256 of every chunk
//!   keep   the same, and every chunk committed to a spool: three syncs each
//! ```
#![allow(
    clippy::print_stdout,
    reason = "an example is a program for a terminal"
)]

use std::{path::Path, time::Duration};

use anyhow::{bail, ensure};
use crispy_checksum::Checksums;
use crispy_media::{Chunk, Chunks, OpenOptions};
use crispy_proto::{id::Run, v1};
use crispy_spool::Spool;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let step = match arguments[..] {
        ["cut", _] => Step::Cut,
        ["hash", _] => Step::Hash,
        ["keep", _, spool] => Step::Keep(Box::new(Spool::open(Path::new(spool))?)),
        _ => bail!("usage: ladder cut|hash FILE, ladder keep FILE SPOOL"),
    };
    let mut chunks = Chunks::open(&OpenOptions::new(arguments[1], Duration::from_secs(3)))?;
    let (mut count, mut frames) = (0_u64, 0_u64);
    while let Some(chunk) = chunks.next_chunk()? {
        step.take(&chunk, count)?;
        (count, frames) = (count + 1, frames + u64::from(chunk.cut.frames));
    }
    println!("{count} chunks, {frames} frames");
    Ok(())
}

enum Step {
    Cut,
    Hash,
    Keep(Box<Spool>),
}

impl Step {
    fn take(&self, chunk: &Chunk, sequence: u64) -> anyhow::Result<()> {
        match self {
            Step::Cut => {}
            // The compiler must not find out that the sums are not used.
            Step::Hash => _ = std::hint::black_box(Checksums::new(&chunk.bytes)),
            Step::Keep(spool) => {
                let descriptor = describe(chunk, sequence, spool);
                let committed = spool.commit(&descriptor, &chunk.bytes)?;
                ensure!(committed.is_fresh(), "the spool is not empty");
            }
        }
        Ok(())
    }
}

/// As much of a descriptor as the spool looks at.
fn describe(chunk: &Chunk, sequence: u64, spool: &Spool) -> v1::ChunkReady {
    let sums = Checksums::new(&chunk.bytes);
    v1::ChunkReady {
        id: Some(v1::ChunkId {
            site: "bench".to_owned(),
            camera: "ladder".to_owned(),
            run: Run::new(0, [0; 10]).to_string(),
            sequence,
        }),
        container: v1::Container::Mp4.into(),
        size: chunk.bytes.len() as u64,
        crc32c: sums.crc32c,
        sha256: sums.sha256.to_vec(),
        spool_id: spool.id().to_string(),
        ..v1::ChunkReady::default()
    }
}
