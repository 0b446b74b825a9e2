//! Waterfall of a trace for a terminal: the tree of spans, and each one's bar in time. Pure.
//!
//! ```text
//!   service          span                           start    took
//!   crispy-ingestor  cut chunk                      +0 ms  9.0 ms  ██
//!   crispy-uploader  └─ process chunks.{camera} !  +10 ms   31 ms    ██████
//!
//!   ! crispy-uploader, process chunks.{camera}: put object: bucket unavailable
//! ```

use jiff::Timestamp;

use super::{
    summary::TraceSummary,
    tree::{self, Row},
};

/// Columns of a good bar: below it, services lose their common prefix.
const GOOD_BAR: usize = 16;
/// Columns of the shortest useful bar: below it, bars are left out.
const MIN_BAR: usize = 6;
/// Common prefix of our services.
const SERVICE_PREFIX: &str = "crispy-";
/// Columns of the longest name: the tree must not push the bars off the screen.
const MAX_NAME: usize = 60;
/// Columns of the tree in the narrowest terminal; a narrower one wraps lines.
const MIN_NAME: usize = 12;
/// Spaces between two columns.
const GAP: usize = 2;

/// Draws a trace in `width` columns.
pub(super) fn render(trace: &TraceSummary, width: usize, url: &str) -> String {
    let rows = tree::rows(&trace.spans);
    let begin = Timestamp::from_nanosecond(trace.start_ns().into());
    let begin = begin.map(|at| format!("{at:.6}")).unwrap_or_default();
    let mut text = String::new();
    if let Some(chunk) = trace.chunk() {
        text += &format!("chunk  {chunk}\n");
    }
    text += &format!("trace  {url}\nbegan  {begin}\n\n");
    text += &table(trace, &rows, width);
    text.push('\n');
    for row in &rows {
        text.extend(error_line(row));
    }
    text += &match (trace.cut_to_inspected_ns(), trace.chunk()) {
        (Some(ns), _) => format!("cut to inspected  {}\n", time(ns)),
        (None, Some(_)) if trace.has_cut() => {
            "cut to inspected  -: no successful inspection in the trace\n".to_owned()
        }
        (None, Some(_)) => {
            "cut to inspected  -: the cut was not sampled; only failures of this chunk were kept\n"
                .to_owned()
        }
        // A run's state is not inspected.
        (None, None) => String::new(),
    };
    text
}

/// A line's cells: service, span, start, took.
type Cells = [String; 4];

fn table(trace: &TraceSummary, rows: &[Row<'_>], width: usize) -> String {
    let (start, length) = (trace.start_ns(), trace.length_ns());
    let head: Cells = ["service", "span", "start", "took"].map(Into::into);
    let cells = |row: &Row<'_>| -> Cells {
        [
            plain(&row.span.service),
            label(row, MAX_NAME),
            format!("+{}", time(row.span.start_ns - start)),
            time(row.span.duration_ns),
        ]
    };
    let mut lines: Vec<Cells> = [head].into_iter().chain(rows.iter().map(cells)).collect();
    let bars = fit(&mut lines, rows, width);
    let widths = widths(&lines);
    let mut text = String::new();
    for (place, cells) in lines.iter().enumerate() {
        let bar = place.checked_sub(1).filter(|_| bars > 0).map(|place| {
            let span = rows[place].span;
            bar(span.start_ns - start, span.duration_ns, length, bars)
        });
        text += &line(cells, widths, &bar.unwrap_or_default());
    }
    text
}

/// Width of each column.
fn widths(lines: &[Cells]) -> [usize; 4] {
    [0, 1, 2, 3].map(|column: usize| {
        let cells = lines.iter().map(|cells| cells[column].chars().count());
        cells.max().unwrap_or(0)
    })
}

/// Fits lines into `width` columns, and returns the columns that are left for bars. First the
/// services lose their common prefix, then the bars go, then the ends of the spans' names.
fn fit(lines: &mut [Cells], rows: &[Row<'_>], width: usize) -> usize {
    let left = |lines: &[Cells]| {
        let [service, name, start, took] = widths(lines);
        let others = service + start + took + 4 * GAP;
        (width.saturating_sub(others), name)
    };
    let (room, longest) = left(lines);
    if room >= longest + GOOD_BAR {
        return room - longest;
    }
    for [service, ..] in &mut *lines {
        if let Some(short) = service.strip_prefix(SERVICE_PREFIX) {
            *service = short.to_owned();
        }
    }
    let (room, longest) = left(lines);
    if room >= longest + MIN_BAR {
        return room - longest;
    }
    // No bars, and no gap before them.
    let room = (room + GAP).max(MIN_NAME);
    for (cells, row) in lines[1..].iter_mut().zip(rows) {
        cells[1] = label(row, room);
    }
    0
}

fn line([service, name, at, took]: &Cells, widths: [usize; 4], bar: &str) -> String {
    let [a, b, c, d] = widths;
    let text = format!("{service:<a$}  {name:<b$}  {at:>c$}  {took:>d$}  {bar}");
    format!("{}\n", text.trim_end())
}

/// The span's name behind its branches, with a mark if it failed or was redelivered. Beyond `room`
/// columns the end of the name is cut, never a mark.
fn label(row: &Row<'_>, room: usize) -> String {
    let mut text = String::new();
    if let Some((own, above)) = row.last.split_last() {
        text.extend(above.iter().map(|last| if *last { "   " } else { "│  " }));
        text += if *own { "└─ " } else { "├─ " };
    }
    if row.orphan {
        text += "… ";
    }
    let mut marks = String::new();
    if let Some(delivery) = row.span.redelivery() {
        marks += &format!(" (delivery {delivery})");
    }
    if row.span.error.is_some() {
        marks += " !";
    }
    let taken = text.chars().count() + marks.chars().count();
    text + &truncate(&plain(&row.span.name), room.saturating_sub(taken)) + &marks
}

/// Cuts a text that is too long.
fn truncate(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept = text.chars().take(room.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// The line of a failed span below the table.
fn error_line(row: &Row<'_>) -> Option<String> {
    let span = row.span;
    let error = match span.error.as_deref()? {
        "" => "failed".to_owned(),
        error => plain(error),
    };
    Some(format!(
        "! {}, {}: {error}\n",
        plain(&span.service),
        plain(&span.name)
    ))
}

/// A bar on a line whose `width` columns represent `length` nanoseconds. A span shorter than a
/// column still has a mark.
fn bar(start: u64, duration: u64, length: u64, width: usize) -> String {
    let scale = width as f64 / length.max(1) as f64;
    let from = ((start as f64 * scale) as usize).min(width - 1);
    let columns = (duration as f64 * scale).round() as usize;
    let bar = match columns {
        0 => "▏".to_owned(),
        columns => "█".repeat(columns.min(width - from)),
    };
    format!("{}{bar}", " ".repeat(from))
}

/// A time with up to three digits, in the unit that suits it.
fn time(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    match ns {
        0 => "0 ms".to_owned(),
        1..999_500 => format!("{:.0} µs", seconds * 1e6),
        999_500..9_950_000 => format!("{:.1} ms", seconds * 1e3),
        9_950_000..999_500_000 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}

/// Text from outside, without control characters.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::otlp;

    fn recorded() -> TraceSummary {
        let spans = otlp::spans(include_bytes!("fixtures/v3.json")).unwrap();
        TraceSummary::group(spans).remove(0)
    }

    #[test]
    fn a_recorded_trace_is_drawn() {
        let drawn = render(
            &recorded(),
            100,
            "http://127.0.0.1:16686/trace/4bf92f3577b34da6a3ce929d0e0e4737",
        );
        assert_eq!(drawn, include_str!("fixtures/waterfall.txt"), "\n{drawn}");
    }

    #[test]
    fn lines_fit_the_width_and_keep_their_marks() {
        let trace = recorded();
        for width in [60, 72, 80, 90, 98, 100, 132, 200] {
            let drawn = render(&trace, width, "http://h");
            let table: Vec<_> = drawn.lines().skip(4).take(trace.spans.len() + 1).collect();
            for line in &table {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            let with = |what: &[char]| table.iter().filter(|line| line.contains(what)).count();
            assert_eq!(with(&['!']), 2, "{drawn}");
            let bars = if width < 80 { 0 } else { trace.spans.len() };
            assert_eq!(with(&['█', '▏']), bars, "{drawn}");
            assert_eq!(drawn.contains("crispy-uploader  "), width > 90, "{drawn}");
            assert!(drawn.contains(" (delivery 2) "), "{drawn}");
        }
        let narrow = render(&trace, 60, "http://h");
        assert!(
            narrow.contains("uploader      │  └─ PUT object ! "),
            "{narrow}"
        );
        assert!(narrow.contains("├─ process chunk"), "{narrow}");
        // No width is a panic: the terminal wraps the rest.
        render(&trace, 0, "http://h");
    }

    #[test]
    fn a_trace_without_a_chunk_needs_no_inspection() {
        let mut trace = recorded();
        for span in &mut trace.spans {
            span.name = "publish runs.{camera}".into();
            span.attributes.remove("sequence");
        }
        let drawn = render(&trace, 100, "http://h");
        assert!(!drawn.contains("cut to inspected"), "{drawn}");
    }

    #[test]
    fn orphans_are_marked_and_control_characters_removed() {
        let mut trace = recorded();
        trace.spans.retain(|span| span.name == "PUT object");
        trace.spans[0].error = Some("\x1b[2J\nno".into());
        let drawn = render(&trace, 100, "http://h");
        assert!(drawn.contains("… PUT object !"), "{drawn}");
        assert!(
            drawn.contains("! crispy-uploader, PUT object:  [2J no\n"),
            "{drawn}"
        );
    }

    #[test]
    fn a_missing_inspection_is_shown() {
        let mut trace = recorded();
        let inspected = "process uploaded.";
        trace.spans.retain(|span| !span.name.starts_with(inspected));
        let drawn = render(&trace, 100, "http://h");
        assert!(drawn.contains("cut to inspected  -"), "{drawn}");
    }

    #[test]
    fn times_have_a_suitable_unit() {
        let times = [
            0,
            812,
            999_499,
            999_500,
            9_949_999,
            31_000_000,
            999_500_000,
            61_000_000_000,
        ];
        let shown = times.map(time);
        assert_eq!(
            shown,
            [
                "0 ms", "1 µs", "999 µs", "1.0 ms", "9.9 ms", "31 ms", "1.00 s", "61.00 s"
            ]
        );
    }
}
