//! Spans of attempts.

use std::{sync::LazyLock, thread, time::Duration};

use crispy_fault::Fault;
use crispy_proto::v1::ChunkReady;
use crispy_queue::Stream;
use opentelemetry::trace::{Status, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tracing_subscriber::layer::SubscriberExt;

use crate::fixture::{Fixture, quick_config};

/// The spans of all tests of this program. One subscriber for all: tracing caches the interest in a
/// span for all threads, so one test's own subscriber would be ignored.
static KEPT: LazyLock<InMemorySpanExporter> = LazyLock::new(|| {
    let kept = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(kept.clone())
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("no other test sets one");
    kept
});

/// The spans of this thread: all spans of a single-threaded test.
struct Spans {
    thread: String,
}

impl Spans {
    fn keep() -> Self {
        LazyLock::force(&KEPT);
        let thread = thread::current().name().map(str::to_owned);
        Self {
            thread: thread.expect("tests run on threads with their names"),
        }
    }

    /// Outcome and error of each finished attempt, in the order of their messages.
    fn attempts(&self) -> Vec<(String, String)> {
        let mut spans = KEPT.get_finished_spans().unwrap();
        spans.retain(|span| {
            span.name.starts_with("process ") && attribute(span, "thread.name") == self.thread
        });
        spans.sort_by_key(|span| {
            let sequence = attribute(span, "stream_sequence");
            sequence
                .parse::<u64>()
                .unwrap_or_else(|_| panic!("{span:?}"))
        });
        let attempt = |span: &SpanData| {
            let error = match &span.status {
                Status::Error { description } => description.to_string(),
                _ => String::new(),
            };
            (attribute(span, "outcome"), error)
        };
        spans.iter().map(attempt).collect()
    }
}

/// All values of an attribute, which should be one.
fn attribute(span: &SpanData, key: &str) -> String {
    let values = span.attributes.iter().filter(|kv| kv.key.as_str() == key);
    let values: Vec<_> = values.map(|kv| kv.value.to_string()).collect();
    values.join(", ")
}

#[tokio::test]
async fn a_span_has_the_outcome_of_its_attempt() {
    let spans = Spans::keep();
    let fixture = Fixture::new().await;
    fixture.publish(0..3).await;
    let act = async |chunk: ChunkReady, _| match chunk.id.unwrap().sequence {
        0 => Ok(()),
        1 => Err(Fault::rejected("no such thing")),
        _ => std::future::pending().await,
    };
    let mut config = quick_config();
    config.grace = Duration::from_millis(300);
    let mut worker = fixture.worker(config, act).await;
    for _ in 0..3 {
        worker.next().await;
    }
    fixture.wait_for_count(Stream::Chunks, 1).await;
    assert_eq!(worker.stop().await.handed_back, 1);
    let [done, rejected, unfinished] = &spans.attempts()[..] else {
        panic!("{:?}", spans.attempts())
    };
    assert_eq!(done, &("acked".into(), String::new()));
    assert_eq!(rejected, &("dead".into(), "no such thing".into()));
    assert_eq!(unfinished.0, "handed_back");
    assert!(unfinished.1.contains("grace"), "{unfinished:?}");
}
