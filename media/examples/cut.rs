//! Cuts a file or stream in memory and prints each chunk:
//! `cargo run --release -p crispy-media --example cut -- clip.mp4 3`.
//!
//! With a folder as third argument, writes the chunks there.
#![allow(clippy::print_stdout)] // An example is a program for a terminal.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crispy_media::{Chunks, OpenOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let location = arguments
        .next()
        .ok_or("usage: cut FILE|URL [SECONDS [FOLDER]]")?;
    let window = Duration::from_secs_f64(arguments.next().map_or(Ok(3.0), |text| text.parse())?);
    let folder = arguments.next().map(PathBuf::from);
    let begun = Instant::now();
    let mut chunks = Chunks::open(&OpenOptions::new(location, window))?;
    println!("{:#?}\nopened in {:?}", chunks.format(), begun.elapsed());
    let (mut count, mut frames, mut bytes) = (0, 0, 0);
    while let Some(chunk) = chunks.next_chunk()? {
        let cut = &chunk.cut;
        println!(
            "{count:4} run {} {:>10}..{:<10} {:?} {:>4} packets {:>9} bytes {:?}",
            cut.run,
            cut.start_ticks,
            cut.end_ticks,
            cut.duration(),
            cut.packets,
            chunk.bytes.len(),
            cut.start
        );
        if let Some(folder) = &folder {
            std::fs::write(
                folder.join(format!("{count:04}.{}", chunk.container.extension())),
                &chunk.bytes,
            )?;
        }
        (count, frames, bytes) = (count + 1, frames + cut.frames, bytes + chunk.bytes.len());
    }
    println!(
        "{count} chunks, {frames} frames, {bytes} bytes in {:?}",
        begun.elapsed()
    );
    Ok(())
}
