//! What spans say of handlings, however these end.

use std::{sync::LazyLock, thread, time::Duration};

use crispy_fault::Fault;
use crispy_proto::v1::ChunkReady;
use crispy_queue::Stream;
use opentelemetry::trace::{Status, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tracing_subscriber::layer::SubscriberExt;

use crate::scene::{Scene, quick};

/// The spans of all tests of this program. One subscriber for all of them: tracing asks whether anybody wants a span once, and not on each
/// thread, so that one test's own would be passed over while others are without.
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

/// The spans of everything that is done on this thread, which is all that a test of one thread does.
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

    /// Outcome and error of each handling that has ended, in the order of their messages.
    fn handlings(&self) -> Vec<(String, String)> {
        let mut spans = KEPT.get_finished_spans().unwrap();
        spans.retain(|span| {
            span.name.starts_with("process ") && said(span, "thread.name") == self.thread
        });
        spans.sort_by_key(|span| {
            let sequence = said(span, "stream_sequence");
            sequence
                .parse::<u64>()
                .unwrap_or_else(|_| panic!("{span:?}"))
        });
        let handling = |span: &SpanData| {
            let error = match &span.status {
                Status::Error { description } => description.to_string(),
                _ => String::new(),
            };
            (said(span, "outcome"), error)
        };
        spans.iter().map(handling).collect()
    }
}

/// All values of an attribute: there has to be one.
fn said(span: &SpanData, key: &str) -> String {
    let values = span.attributes.iter().filter(|kv| kv.key.as_str() == key);
    let values: Vec<_> = values.map(|kv| kv.value.to_string()).collect();
    values.join(", ")
}

#[tokio::test]
async fn a_span_says_how_its_handling_ended_also_when_the_grace_was_over_first() {
    let spans = Spans::keep();
    let scene = Scene::new().await;
    scene.publish(0..3).await;
    let act = async |chunk: ChunkReady, _| match chunk.id.unwrap().sequence {
        0 => Ok(()),
        1 => Err(Fault::rejected("no such thing")),
        _ => std::future::pending().await,
    };
    let mut config = quick();
    config.grace = Duration::from_millis(300);
    let mut hand = scene.worker(config, act).await;
    for _ in 0..3 {
        hand.next().await;
    }
    scene.until_count(Stream::Chunks, 1).await;
    assert_eq!(hand.stop().await.handed_back, 1);
    let [done, rejected, cut_short] = &spans.handlings()[..] else {
        panic!("{:?}", spans.handlings())
    };
    assert_eq!(done, &("acked".into(), String::new()));
    assert_eq!(rejected, &("dead".into(), "no such thing".into()));
    assert_eq!(cut_short.0, "handed_back");
    assert!(cut_short.1.contains("grace"), "{cut_short:?}");
}
