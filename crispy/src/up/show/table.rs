//! The session for people: one table when all is done. Pure.

use std::time::Duration;

use bytesize::ByteSize;
use comfy_table::{CellAlignment, Table, presets};

use super::Closing;

/// The table, and below it where the objects are.
pub(super) fn render(closing: &Closing<'_>) -> String {
    let totals = closing.session.totals();
    let uploaded = totals.chunks - totals.already_there;
    let mut rows = vec![
        ("chunks", chunks(totals.chunks, uploaded, totals.already_there)),
        ("frames", totals.frames.to_string()),
        ("video", format!("{:.3} s", totals.video_us as f64 / 1e6)),
        ("bytes", format!("{} ({})", totals.bytes, ByteSize(totals.bytes).display().iec())),
        ("frames/s", format!("{:.0}", totals.frames as f64 / closing.elapsed.as_secs_f64().max(1e-9))),
        ("cut to inspected, p50 / p99", format!("{} / {}", latency(closing, 50), latency(closing, 99))),
        ("elapsed", seconds(closing.elapsed)),
    ];
    let cpu: Duration = closing.cpu.iter().map(|(_, time)| *time).sum();
    rows.push(("CPU, all processes", seconds(cpu)));
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    for (name, time) in &closing.cpu {
        table.add_row([format!("  {name}"), seconds(*time)]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{table}\nbucket  {}", closing.bucket);
    if let Some(sample) = closing.sample {
        text += &format!("\nplay    {sample}");
    }
    if totals.chunks > 0 && uploaded == 0 {
        text += "\nNothing was uploaded: the bucket has every chunk already.";
    }
    text
}

fn chunks(all: u64, uploaded: u64, already_there: u64) -> String {
    if already_there == 0 {
        all.to_string()
    } else {
        format!("{all} ({uploaded} uploaded, {already_there} already there)")
    }
}

fn latency(closing: &Closing<'_>, percent: usize) -> String {
    let latency = closing.session.latency_us(percent);
    latency.map_or_else(|| "-".into(), |us| format!("{} ms", us / 1_000))
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
