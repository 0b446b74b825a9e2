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

/// Bars that are shorter say little: before they get so, the services go without what all of ours begin with.
const GOOD_BAR: usize = 16;
/// Bars that are shorter say nothing, and are left out.
const LEAST_BAR: usize = 6;
/// What the names of our services begin with.
const OURS: &str = "crispy-";
/// Names that are longer are cut: the tree must not push the bars off the screen.
const LONGEST: usize = 60;
/// However narrow the terminal is, so much of the tree is shown; what is narrower still wraps.
const SHORTEST: usize = 12;
/// Between two columns.
const GAP: usize = 2;

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
    text += &match (journey.cut_to_inspected_ns(), journey.chunk()) {
        (Some(ns), _) => format!("cut to inspected  {}\n", time(ns)),
        (None, Some(_)) if journey.was_cut() => {
            "cut to inspected  -: the trace holds no inspection that ended well\n".to_owned()
        }
        (None, Some(_)) => {
            "cut to inspected  -: its cut was not kept: a sampler that keeps failures alone leaves out what went well, before and since\n".to_owned()
        }
        // A run's state is not inspected.
        (None, None) => String::new(),
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
            name(row, LONGEST),
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

/// How wide each column has to be.
fn widths(lines: &[Cells]) -> [usize; 4] {
    [0, 1, 2, 3].map(|column: usize| {
        let cells = lines.iter().map(|cells| cells[column].chars().count());
        cells.max().unwrap_or(0)
    })
}

/// Makes lines fit into `width` columns, and returns how many of these are left for bars. What says least goes first: what our services are
/// all called, then the bars, then the ends of the spans' names.
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
        if let Some(short) = service.strip_prefix(OURS) {
            *service = short.to_owned();
        }
    }
    let (room, longest) = left(lines);
    if room >= longest + LEAST_BAR {
        return room - longest;
    }
    // No bars, and no gap before them.
    let room = (room + GAP).max(SHORTEST);
    for (cells, row) in lines[1..].iter_mut().zip(rows) {
        cells[1] = name(row, room);
    }
    0
}

fn line([service, name, at, took]: &Cells, widths: [usize; 4], bar: &str) -> String {
    let [a, b, c, d] = widths;
    let text = format!("{service:<a$}  {name:<b$}  {at:>c$}  {took:>d$}  {bar}");
    format!("{}\n", text.trim_end())
}

/// The span's name behind the branches that lead to it, with a mark if it failed or is not the first of its kind. What is longer than `room`
/// columns loses the end of the name, and never a mark.
fn name(row: &Row<'_>, room: usize) -> String {
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
    text + &cut(&plain(&row.span.name), room.saturating_sub(taken)) + &marks
}

/// The beginning of a text that is too long.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept = text.chars().take(room.saturating_sub(1));
    kept.chain(['…']).collect()
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
    fn no_line_is_wider_than_the_terminal_and_what_matters_most_stays_longest() {
        let journey = recorded();
        for width in [60, 72, 80, 90, 98, 100, 132, 200] {
            let drawn = render(&journey, width, "http://h");
            let table: Vec<_> = drawn
                .lines()
                .skip(4)
                .take(journey.spans.len() + 1)
                .collect();
            for line in &table {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            let with = |what: &[char]| table.iter().filter(|line| line.contains(what)).count();
            assert_eq!(with(&['!']), 2, "{drawn}");
            let bars = if width < 80 { 0 } else { journey.spans.len() };
            assert_eq!(with(&['█', '▏']), bars, "{drawn}");
            assert_eq!(drawn.contains("crispy-uploader  "), width > 90, "{drawn}");
            assert!(drawn.contains(" (delivery 2) "), "{drawn}");
        }
        let narrow = render(&journey, 60, "http://h");
        assert!(
            narrow.contains("uploader      │  └─ PUT object ! "),
            "{narrow}"
        );
        assert!(narrow.contains("├─ process chunk"), "{narrow}");
        // What does not fit at all is wrapped by the terminal, and never a panic.
        render(&journey, 0, "http://h");
    }

    #[test]
    fn a_trace_that_is_no_chunks_is_not_missed_for_an_inspection() {
        let mut journey = recorded();
        for span in &mut journey.spans {
            span.name = "publish runs.{camera}".into();
            span.attributes.remove("sequence");
        }
        let drawn = render(&journey, 100, "http://h");
        assert!(!drawn.contains("cut to inspected"), "{drawn}");
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
    }

    #[test]
    fn a_chunk_that_no_inspection_passed_is_said_to_have_none() {
        let mut journey = recorded();
        let inspected = "process uploaded.";
        journey
            .spans
            .retain(|span| !span.name.starts_with(inspected));
        let drawn = render(&journey, 100, "http://h");
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
