//! Trace contexts (W3C Trace Context): the current span's, to headers and back.
//!
//! ```text
//!   publish ─ headers() ─► traceparent: 00-<trace>-<span>-<flags> ─► Remote ─ adopt() ─ process
//! ```
//!
//! `OTEL_PROPAGATORS` chooses the headers. Without traces there are none.

use std::error::Error;

use opentelemetry::{
    Context, global,
    propagation::{Extractor, Injector},
    trace::{SpanContext, Status, TraceContextExt},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The headers of the current span's trace context, without empty ones: the propagator writes an
/// empty `tracestate`.
pub fn headers() -> Vec<(String, String)> {
    let mut headers = Headers(Vec::new());
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut headers));
    headers.0
}

/// The current span as a `traceparent`, for places that outlive its message, such as an object's
/// metadata. `None` without a trace.
pub fn traceparent() -> Option<String> {
    current().map(|span| {
        let flags = span.trace_flags().to_u8();
        format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())
    })
}

/// The id of the current trace, 32 hexadecimal digits: finds a failure in the log, in its dead
/// letter and in the traces. `None` without a trace.
pub fn trace_id() -> Option<String> {
    current().map(|span| span.trace_id().to_string())
}

/// Marks the current span as failed: it is kept even if the sampler dropped it. Every span that
/// returns an error is marked, so that a failure can be followed down to its origin.
pub fn fail(error: impl std::fmt::Display) {
    let span = Span::current();
    if !span.is_disabled() {
        span.set_status(Status::error(error.to_string()));
    }
}

/// Returns `result`. An error marks the current span as failed, with the whole chain of causes.
pub fn record_error<T, E: Error + 'static>(result: Result<T, E>) -> Result<T, E> {
    if let Err(error) = &result
        && !Span::current().is_disabled()
    {
        fail(chain(error));
    }
    result
}

/// An error and its causes, outermost first, on one line. As `crispy_fault::chain`, which is in the
/// same layer.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

fn current() -> Option<SpanContext> {
    let context = Span::current().context();
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

/// Runs `work` within another trace, so that its log lines lead there. `traceparent` is W3C's;
/// `work` is also run where it is empty or no traces are made.
pub fn in_trace<T>(traceparent: &str, work: impl FnOnce() -> T) -> T {
    let Remote(context) = Remote::from_headers([("traceparent", traceparent)]);
    let is_valid = context.span().span_context().is_valid();
    let _guard = is_valid.then(|| context.attach());
    work()
}

/// The trace context of a message.
#[derive(Clone, Debug)]
pub struct Remote(Context);

impl Remote {
    /// Reads the headers of a message. Missing or malformed headers are no error: a new trace
    /// begins.
    pub fn from_headers<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let headers = Received(headers.into_iter().collect());
        // Not the current context: it has nothing to do with the message.
        let extract = |propagator: &dyn opentelemetry::propagation::TextMapPropagator| {
            propagator.extract_with_context(&Context::new(), &headers)
        };
        Self(global::get_text_map_propagator(extract))
    }

    /// Makes a span, which was not entered yet, a child of this context: a publish that continues
    /// earlier work.
    pub fn continue_in(&self, span: &Span) {
        // Fails only without traces, where it does not matter.
        drop(span.set_parent(self.0.clone()));
    }

    /// Makes a span, which was not entered yet, a child of this context, and links the two.
    ///
    /// Both, since the default of the conventions for messages is a link, and viewers show one
    /// trace only with a parent.
    pub fn adopt(&self, span: &Span) {
        let from = self.0.span().span_context().clone();
        if !from.is_valid() {
            return;
        }
        self.continue_in(span);
        span.add_link(from);
    }
}

struct Headers(Vec<(String, String)>);

impl Injector for Headers {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() {
            self.0.push((key.to_owned(), value));
        }
    }
}

struct Received<'a>(Vec<(&'a str, &'a str)>);

impl Extractor for Received<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let found = self
            .0
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key));
        found
            .map(|(_, value)| *value)
            .filter(|value| !value.is_empty())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::{
        propagation::TraceContextPropagator,
        trace::{InMemorySpanExporter, SdkTracerProvider},
    };
    use tracing::info_span;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Runs `work` with a tracer, and returns the spans.
    fn traced(work: impl FnOnce()) -> Vec<opentelemetry_sdk::trace::SpanData> {
        let spans = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(spans.clone())
            .build();
        global::set_text_map_propagator(TraceContextPropagator::new());
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, work);
        spans.get_finished_spans().expect("an exporter in memory")
    }

    fn borrowed(headers: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
        headers.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    #[test]
    fn a_reader_is_child_of_and_linked_to_its_publish() {
        let spans = traced(|| {
            let sent = info_span!("publish").in_scope(headers);
            assert_eq!(
                sent.len(),
                1,
                "an empty tracestate is not a header: {sent:?}"
            );
            let process = info_span!("process");
            Remote::from_headers(borrowed(&sent)).adopt(&process);
            process.in_scope(|| ());
        });
        let [publish, process] = &spans[..] else {
            panic!("{spans:?}")
        };
        assert_eq!(
            process.span_context.trace_id(),
            publish.span_context.trace_id()
        );
        assert_eq!(process.parent_span_id, publish.span_context.span_id());
        assert_eq!(
            process.links[0].span_context.span_id(),
            publish.span_context.span_id()
        );
    }

    #[test]
    fn headers_match_in_any_case_and_nonsense_begins_a_trace() {
        let spans = traced(|| {
            for value in [
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "nonsense",
                "",
            ] {
                let process = info_span!("process");
                Remote::from_headers([("Traceparent", value), ("tracestate", "")]).adopt(&process);
                process.in_scope(|| ());
            }
        });
        let parents: Vec<_> = spans.iter().map(|s| s.parent_span_id.to_string()).collect();
        assert_eq!(
            parents,
            ["b7ad6b7169203331", "0000000000000000", "0000000000000000"]
        );
    }

    #[test]
    fn the_traceparent_of_a_span_equals_its_header() {
        traced(|| {
            info_span!("PUT").in_scope(|| {
                let sent = headers();
                assert_eq!(traceparent().as_deref(), Some(sent[0].1.as_str()));
                assert_eq!(trace_id().as_deref(), Some(&sent[0].1[3..35]));
            });
        });
    }

    #[test]
    fn work_in_a_trace_runs_there_and_nowhere_else() {
        let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let here = || {
            Context::current()
                .span()
                .span_context()
                .trace_id()
                .to_string()
        };
        traced(|| {
            assert_eq!(in_trace(other, here), other[3..35]);
            assert_eq!(in_trace("", here), here());
            info_span!("PUT").in_scope(|| assert_eq!(in_trace("nonsense", here), here()));
        });
        assert_eq!(here(), "0".repeat(32));
    }

    #[test]
    fn without_a_trace_there_are_no_headers() {
        info_span!("PUT").in_scope(|| {
            assert_eq!((headers(), traceparent(), trace_id()), (vec![], None, None));
        });
    }
}
