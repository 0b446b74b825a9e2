//! A trace for people: a tree, and beside it a bar for each span where it lies in time. Pure.
//!
//! ```text
//!   service          span                           start      took
//!   crispy-ingestor  cut chunk                      +0 ms    9.0 ms  ██
//!   crispy-uploader    └ process chunks.{camera}  +9.9 ms     31 ms    ██████████   ! put object: the bucket is away
//! ```

use jiff::Timestamp;

use super::{
    journey::Journey,
    tree::{self, Row},
};

/// Bars that are shorter say nothing; a terminal that is narrower has its lines wrapped.
const LEAST_BAR: usize = 16;
/// Names that are longer are cut: the tree must not push the bars off the screen.
const LONGEST: usize = 60;

/// The picture, `width` columns wide.
pub(super) fn render(journey: &Journey, width: usize, url: &str) -> String {
    let rows = tree::rows(&journey.spans);
    let begin = Timestamp::from_nanosecond(journey.start_ns().into());
    let begin = begin.map(|at| format!("{at:.6}")).unwrap_or_default();
    let mut text = String::new();
    if let Some(chunk) = journey.chunk() {
        text += &format!("chunk  {chunk}\n");
    }
    text += &format!("trace  {url}\nbegan  {begin}\n\n");
    text += &table(journey, &rows, width);
    text.push('\n');
    for row in &rows {
        text.extend(remark(row));
    }
    text += &match journey.cut_to_inspected_ns() {
        Some(ns) => format!("cut to inspected  {}\n", time(ns)),
        None => "cut to inspected  -: the trace holds no inspection that ended well\n".to_owned(),
    };
    text
}

/// A line's cells: service, span, start, took.
type Cells = [String; 4];

fn table(journey: &Journey, rows: &[Row<'_>], width: usize) -> String {
    let (start, length) = (journey.start_ns(), journey.length_ns());
    let head: Cells = ["service", "span", "start", "took"].map(Into::into);
    let cells = |row: &Row<'_>| -> Cells {
        [
            plain(&row.span.service),
            name(row),
            format!("+{}", time(row.span.start_ns - start)),
            time(row.span.duration_ns),
        ]
    };
    let body: Vec<Cells> = rows.iter().map(cells).collect();
    let widths = [0, 1, 2, 3].map(|column: usize| {
        let cells = body.iter().chain([&head]);
        cells
            .map(|cells| cells[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    // Two blanks behind each.
    let bars = width
        .saturating_sub(widths.iter().sum::<usize>() + 8)
        .max(LEAST_BAR);
    let mut text = line(&head, widths, "");
    for (row, cells) in rows.iter().zip(&body) {
        let bar = bar(
            row.span.start_ns - start,
            row.span.duration_ns,
            length,
            bars,
        );
        text += &line(cells, widths, &bar);
    }
    text
}

fn line([service, name, at, took]: &Cells, widths: [usize; 4], bar: &str) -> String {
    let [a, b, c, d] = widths;
    let text = format!("{service:<a$}  {name:<b$}  {at:>c$}  {took:>d$}  {bar}");
    format!("{}\n", text.trim_end())
}

/// The span's name behind the branches that lead to it, with a mark if it failed or is not the first of its kind.
fn name(row: &Row<'_>) -> String {
    let mut text = String::new();
    if let Some((own, above)) = row.last.split_last() {
        text.extend(above.iter().map(|last| if *last { "   " } else { "│  " }));
        text += if *own { "└─ " } else { "├─ " };
    }
    if row.orphan {
        text += "… ";
    }
    text.extend(plain(&row.span.name).chars().take(LONGEST));
    if let Some(delivery) = row.span.redelivery() {
        text += &format!(" (delivery {delivery})");
    }
    if row.span.error.is_some() {
        text += " !";
    }
    text
}

/// What is to be said of a span below the picture.
fn remark(row: &Row<'_>) -> Option<String> {
    let span = row.span;
    let why = match span.error.as_deref()? {
        "" => "failed".to_owned(),
        why => plain(why),
    };
    Some(format!(
        "! {}, {}: {why}\n",
        plain(&span.service),
        plain(&span.name)
    ))
}

/// A bar on a line of `width` columns that stands for `length` nanoseconds. What is too short for a column still has a mark.
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

/// Three digits, in the unit that leaves them before the point as far as it goes.
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

/// Text from elsewhere, without what a terminal would obey.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::otlp;

    fn recorded() -> Journey {
        let spans = otlp::spans(include_bytes!("fixtures/v3.json")).unwrap();
        Journey::all(spans).remove(0)
    }

    #[test]
    fn a_recorded_trace_is_drawn_as_it_was() {
        let drawn = render(
            &recorded(),
            100,
            "http://127.0.0.1:16686/trace/4bf92f3577b34da6a3ce929d0e0e4737",
        );
        assert_eq!(drawn, include_str!("fixtures/waterfall.txt"), "\n{drawn}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_each_span_has_a_mark() {
        let journey = recorded();
        for width in [100, 132, 200] {
            let drawn = render(&journey, width, "http://h");
            let table: Vec<_> = drawn.lines().skip(5).take(journey.spans.len()).collect();
            for line in table {
                assert!(line.chars().count() <= width, "{width}: {line}");
                assert!(line.contains(['█', '▏']), "{line}");
            }
        }
        // What does not fit at all is wrapped by the terminal, and never a panic.
        render(&journey, 0, "http://h");
    }

    #[test]
    fn a_span_without_its_cause_and_words_that_a_terminal_would_obey_are_shown_harmless() {
        let mut journey = recorded();
        journey.spans.retain(|span| span.name == "PUT object");
        journey.spans[0].error = Some("\x1b[2J\nno".into());
        let drawn = render(&journey, 100, "http://h");
        assert!(drawn.contains("… PUT object !"), "{drawn}");
        assert!(
            drawn.contains("! crispy-uploader, PUT object:  [2J no\n"),
            "{drawn}"
        );
        assert!(drawn.contains("cut to inspected  -"), "{drawn}");
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
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
