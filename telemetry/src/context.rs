//! One trace through several programs: the current span's place in it as headers (W3C Trace Context), and back.
//!
//! ```text
//!   publish ── headers() ──► traceparent: 00-<trace>-<span>-<flags> ──► Remote::from_headers ── adopt(span) ── process
//! ```
//!
//! Which headers are written and read is for `OTEL_PROPAGATORS` to say; where no traces are made there are none.

use std::error::Error;

use opentelemetry::{
    Context, global,
    propagation::{Extractor, Injector},
    trace::{SpanContext, Status, TraceContextExt},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The headers that carry the current span's place in its trace. Empty ones are left out: the propagator writes a `tracestate` of nothing.
pub fn headers() -> Vec<(String, String)> {
    let mut headers = Headers(Vec::new());
    let context = Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut headers));
    headers.0
}

/// The current span as a `traceparent`, for what outlives its message: an object's metadata. `None` where no trace is made.
pub fn traceparent() -> Option<String> {
    current().map(|span| {
        let flags = span.trace_flags().to_u8();
        format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id())
    })
}

/// The id of the current trace, 32 hexadecimal digits: by it a failure is found, in the log, in its dead letter, in the traces. `None`
/// where no trace is made.
pub fn trace_id() -> Option<String> {
    current().map(|span| span.trace_id().to_string())
}

/// The current span ends in error: it is kept whatever the sampler said. Say so of every span that hands an error up, and it can be followed
/// down to where it began.
pub fn fail(error: impl std::fmt::Display) {
    let span = Span::current();
    if !span.is_disabled() {
        span.set_status(Status::error(error.to_string()));
    }
}

/// Hands a result on. If it is an error the current span ends in it, with all that caused it.
pub fn noted<T, E: Error + 'static>(result: Result<T, E>) -> Result<T, E> {
    if let Err(error) = &result
        && !Span::current().is_disabled()
    {
        fail(chain(error));
    }
    result
}

/// An error and what caused it, outermost first, on one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
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

/// Does `work` at a place of a trace that is over, or elsewhere: what it logs leads there. `traceparent` is W3C's; where it is empty or no
/// traces are made `work` is done all the same.
pub fn at<T>(traceparent: &str, work: impl FnOnce() -> T) -> T {
    let Remote(context) = Remote::from_headers([("traceparent", traceparent)]);
    let place = context.span().span_context().is_valid();
    let _there = place.then(|| context.attach());
    work()
}

/// The place in a trace that a message came from.
#[derive(Clone, Debug)]
pub struct Remote(Context);

impl Remote {
    /// What the headers of a message say. Headers that are not there or make no sense are no error: the trace begins anew.
    pub fn from_headers<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let headers = Received(headers.into_iter().collect());
        // Not the current context: what is under way here has nothing to do with the message.
        let extract = |propagator: &dyn opentelemetry::propagation::TextMapPropagator| {
            propagator.extract_with_context(&Context::new(), &headers)
        };
        Self(global::get_text_map_propagator(extract))
    }

    /// Makes a span, which has not been entered yet, go on where the message came from: a publishing that belongs to what was done before.
    pub fn continue_in(&self, span: &Span) {
        // It fails where no traces are made, and there it does not matter.
        drop(span.set_parent(self.0.clone()));
    }

    /// Makes a span, which has not been entered yet, the child of where the message came from, and links the two.
    ///
    /// Both: the conventions' default for messages is a link, and a viewer shows one trace only where there is a parent.
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

    /// Runs it where traces are made, and gives back the spans.
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
    fn a_message_carries_its_place_and_its_reader_is_child_and_linked() {
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
    fn the_headers_name_in_any_case_is_understood_and_nonsense_begins_a_trace() {
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
    fn the_traceparent_of_a_span_is_what_its_header_says() {
        traced(|| {
            info_span!("PUT").in_scope(|| {
                let sent = headers();
                assert_eq!(traceparent().as_deref(), Some(sent[0].1.as_str()));
                assert_eq!(trace_id().as_deref(), Some(&sent[0].1[3..35]));
            });
        });
    }

    #[test]
    fn what_is_done_at_a_place_is_done_there_and_nowhere_else() {
        let place = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let here = || {
            Context::current()
                .span()
                .span_context()
                .trace_id()
                .to_string()
        };
        traced(|| {
            assert_eq!(at(place, here), place[3..35]);
            assert_eq!(at("", here), here());
            info_span!("PUT").in_scope(|| assert_eq!(at("nonsense", here), here()));
        });
        assert_eq!(here(), "0".repeat(32));
    }

    #[test]
    fn where_no_trace_is_made_there_is_nothing_to_carry() {
        info_span!("PUT").in_scope(|| {
            assert_eq!((headers(), traceparent(), trace_id()), (vec![], None, None));
        });
    }
}
