//! Log lines as JSON objects, in our own words or in those of Google Cloud Logging.
//!
//! ```text
//!   {"timestamp":…,"level":"INFO","message":…,…,"target":…,"trace_id":…,"span_id":…}
//! ```
//!
//! Google Cloud Logging has other names for the same fields, and moves those that it knows out of
//! the payload: severity, time, trace.

use std::{
    env, fmt,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context,
    trace::{SpanContext, TraceContextExt},
};
use serde::ser::{SerializeMap, Serializer};
use serde_json::json;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_serde::SerdeMapVisitor;
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime as Clock},
    },
    registry::LookupSpan,
};

/// Writes events as JSON.
pub(super) struct Json {
    pub(super) style: Style,
}

/// The names of the fields that are not the event's own.
pub(super) enum Style {
    /// Our own.
    Plain,
    /// Google Cloud Logging's.
    Gcp {
        /// `projects/<project>/traces/`, or nothing if the project is unknown.
        traces: String,
    },
}

impl Style {
    /// Google Cloud Logging's, with the project that the environment names.
    pub(super) fn gcp() -> Self {
        let project = env::var("GOOGLE_CLOUD_PROJECT").unwrap_or_default();
        let traces = match project.trim() {
            "" => String::new(),
            project => format!("projects/{project}/traces/"),
        };
        Self::Gcp { traces }
    }

    fn begin<M: SerializeMap>(&self, map: &mut M, metadata: &Metadata<'_>) -> Result<(), M::Error> {
        match self {
            Self::Plain => {
                map.serialize_entry("timestamp", &timestamp())?;
                map.serialize_entry("level", metadata.level().as_str())
            }
            Self::Gcp { .. } => {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                let since: Duration = since.unwrap_or_default();
                map.serialize_entry("severity", severity(*metadata.level()))?;
                let time = json!({ "seconds": since.as_secs(), "nanos": since.subsec_nanos() });
                map.serialize_entry("timestamp", &time)
            }
        }
    }

    fn end<M: SerializeMap>(&self, map: &mut M, metadata: &Metadata<'_>) -> Result<(), M::Error> {
        map.serialize_entry("target", metadata.target())?;
        let Some(span) = current_span() else {
            return Ok(());
        };
        let (trace, id) = (span.trace_id().to_string(), span.span_id().to_string());
        match self {
            Self::Plain => {
                map.serialize_entry("trace_id", &trace)?;
                map.serialize_entry("span_id", &id)
            }
            Self::Gcp { traces } => {
                let trace = format!("{traces}{trace}");
                map.serialize_entry("logging.googleapis.com/trace", &trace)?;
                map.serialize_entry("logging.googleapis.com/spanId", &id)?;
                map.serialize_entry("logging.googleapis.com/trace_sampled", &span.is_sampled())
            }
        }
    }
}

/// The current span, if traces are on.
pub(super) fn current_span() -> Option<SpanContext> {
    let context = Context::current();
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

fn timestamp() -> String {
    let mut text = String::new();
    // A string accepts all text.
    let _ = Clock.format_time(&mut Writer::new(&mut text));
    text
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let line = object(&self.style, event).map_err(|_| fmt::Error)?;
        let line = std::str::from_utf8(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

fn object(style: &Style, event: &Event<'_>) -> serde_json::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::new(&mut line);
    let mut map = serializer.serialize_map(None)?;
    style.begin(&mut map, event.metadata())?;
    let mut fields = SerdeMapVisitor::new(map);
    event.record(&mut fields);
    let mut map = fields.take_serializer()?;
    style.end(&mut map, event.metadata())?;
    map.end()?;
    Ok(line)
}
