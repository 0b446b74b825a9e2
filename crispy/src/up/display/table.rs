//! Table of a session at its end. Pure.

use std::time::Duration;

use bytesize::ByteSize;
use comfy_table::{CellAlignment, Table, presets};

use super::SessionReport;
use crate::up::session::Totals;

/// The table, and below it the bucket, a sample and a trace.
pub(super) fn render(report: &SessionReport<'_>) -> String {
    let totals = report.session.totals();
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    for (name, value) in rows(report) {
        table.add_row([name, &value]);
    }
    for (name, time) in &report.cpu {
        table.add_row([format!("  {name}"), seconds(*time)]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{table}\nbucket  {}", report.bucket);
    if let Some(sample) = report.sample {
        text += &format!("\nplay    {sample}");
    }
    if let Some(trace) = report.trace {
        text += &format!("\ntrace   {trace}");
    }
    if totals.chunks > 0 && totals.chunks == totals.already_there {
        text += "\nNothing was uploaded: the bucket already has every chunk.";
    }
    text
}

fn rows(report: &SessionReport<'_>) -> [(&'static str, String); 8] {
    let totals = report.session.totals();
    let per_second = totals.frames as f64 / report.elapsed.as_secs_f64().max(1e-9);
    let bytes = ByteSize(totals.bytes).display().iec();
    let latencies = [50, 99].map(|percent| latency(report, percent)).join(" / ");
    let cpu = report.cpu.iter().map(|(_, time)| *time).sum();
    [
        ("chunks", chunks(totals)),
        ("frames", totals.frames.to_string()),
        ("video", format!("{:.3} s", totals.video_us as f64 / 1e6)),
        ("bytes", format!("{} ({bytes})", totals.bytes)),
        ("frames/s", format!("{per_second:.0}")),
        ("cut to inspected, p50 / p99", latencies),
        ("elapsed", seconds(report.elapsed)),
        ("CPU, all processes", seconds(cpu)),
    ]
}

fn chunks(totals: &Totals) -> String {
    let Totals {
        chunks,
        already_there,
        ..
    } = totals;
    if *already_there == 0 {
        return chunks.to_string();
    }
    let uploaded = chunks - already_there;
    format!("{chunks} ({uploaded} uploaded, {already_there} already there)")
}

fn latency(report: &SessionReport<'_>, percent: usize) -> String {
    let latency = report.session.latency_us(percent);
    latency.map_or_else(|| "-".into(), |us| format!("{} ms", us / 1_000))
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
