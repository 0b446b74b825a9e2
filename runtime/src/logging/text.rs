//! Log lines for people.
//!
//! ```text
//!   2026-11-22T20:34:02.895115Z  WARN the message field=value trace_id=… span_id=…
//! ```

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime as Clock},
    },
    registry::LookupSpan,
};

use super::json::current_span;

/// Writes events as text. The fields of spans are left out: they belong to the trace, and would be
/// longer than the line.
pub(super) struct Text;

impl<S, N> FormatEvent<S, N> for Text
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        let (dim, colour, end) = match writer.has_ansi_escapes() {
            true => ("\x1b[2m", colour(level), "\x1b[0m"),
            false => ("", "", ""),
        };
        write!(writer, "{dim}")?;
        Clock.format_time(&mut writer)?;
        write!(writer, "{end} {colour}{level:>5}{end} ")?;
        context.format_fields(writer.by_ref(), event)?;
        if let Some(span) = current_span() {
            let (trace, id) = (span.trace_id(), span.span_id());
            write!(writer, " {dim}trace_id={trace} span_id={id}{end}")?;
        }
        writeln!(writer)
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}
