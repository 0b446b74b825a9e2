//! The traces of a house: what its programs have told of single chunks.
//!
//! ```text
//!   programs ── spans ────► receiver of the test's own │ a real Jaeger, if CRISPY_JAEGER_URL names one, which is asked what it was told
//!            └─ metrics ──► receiver of the test's own, always: a Jaeger takes none
//! ```

use std::{
    collections::{BTreeMap, BTreeSet},
    process, thread,
    time::{Duration, SystemTime},
};

use crispy_testbed::{OtlpReceiver, ReceivedSpan};
use jiff::Timestamp;

use super::{PATIENCE, jaeger::Jaeger, program::Program};

/// How often a Jaeger is asked whether it has what is wished.
const PAUSE: Duration = Duration::from_millis(100);

/// What a span's resource says, so that a Jaeger which others fill too can tell whose it is.
const MARK: &str = "crispy.test";

/// A collector of one test's own.
pub(crate) struct Traces {
    receiver: OtlpReceiver,
    jaeger: Option<InJaeger>,
}

/// One test's own part of a Jaeger.
struct InJaeger {
    jaeger: Jaeger,
    mark: String,
    since: Timestamp,
}

/// All spans of one trace.
#[derive(Clone, Debug)]
pub(crate) struct Trace(Vec<ReceivedSpan>);

impl Traces {
    /// One that nobody has told anything yet.
    pub(crate) fn start() -> Self {
        let in_jaeger = |jaeger| InJaeger {
            jaeger,
            mark: unique(),
            since: Timestamp::now(),
        };
        Self {
            jaeger: Jaeger::real().map(in_jaeger),
            ..Self::received()
        }
    }

    /// The same, and never a Jaeger: for what only the receiver can say, which is all that came over the wire.
    pub(crate) fn received() -> Self {
        Self {
            receiver: OtlpReceiver::start(),
            jaeger: None,
        }
    }

    /// The program, telling this collector what it does, ten times a second.
    pub(crate) fn of(&self, program: Program) -> Program {
        let program = program
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", self.receiver.url())
            .env("OTEL_BSP_SCHEDULE_DELAY", "100")
            .env("OTEL_METRIC_EXPORT_INTERVAL", "200");
        match &self.jaeger {
            None => program,
            Some(InJaeger { jaeger, mark, .. }) => program
                .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &jaeger.collector)
                .env("OTEL_RESOURCE_ATTRIBUTES", format!("{MARK}={mark}")),
        }
    }

    /// What came over the wire to the test itself: points of metrics in any case, spans unless there is a Jaeger.
    pub(crate) fn receiver(&self) -> &OtlpReceiver {
        &self.receiver
    }

    /// The traces that a cut began, when each is as `wish` wants it and there are `count` of them.
    #[track_caller]
    pub(crate) fn of_chunks(&self, count: usize, wish: impl Fn(&Trace) -> bool) -> Vec<Trace> {
        let whole = |spans: &[ReceivedSpan]| {
            let chunks = of_chunks(spans);
            chunks.len() == count && chunks.iter().all(&wish)
        };
        match &self.jaeger {
            None => of_chunks(&self.receiver.wait_for_spans(whole)),
            Some(jaeger) => of_chunks(&jaeger.wait_for_spans(whole)),
        }
    }
}

impl InJaeger {
    /// As the receiver's. A Jaeger calls nobody when something comes.
    #[track_caller]
    fn wait_for_spans(&self, wish: impl Fn(&[ReceivedSpan]) -> bool) -> Vec<ReceivedSpan> {
        let began = SystemTime::now();
        loop {
            let spans = self.spans();
            if wish(&spans) {
                return spans;
            }
            let waited = began.elapsed().unwrap_or_default();
            assert!(waited < PATIENCE, "not within {PATIENCE:?}: {spans:#?}");
            thread::sleep(PAUSE);
        }
    }

    /// The spans of all traces in which a program of this test's had a part, whole.
    fn spans(&self) -> Vec<ReceivedSpan> {
        let since = self.since.to_string();
        let mut spans = self.jaeger.spans_of("crispy-ingestor", &since);
        let is_ours = |span: &&ReceivedSpan| span.resource.get(MARK) == Some(&self.mark);
        let ours = spans.iter().filter(is_ours);
        let ours: BTreeSet<_> = ours.map(|span| span.trace_id.clone()).collect();
        spans.retain(|span| ours.contains(&span.trace_id));
        spans
    }
}

/// No other test has this, of this run or of another: a Jaeger keeps what it was told.
fn unique() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos();
    format!("{}-{now}", process::id())
}

fn of_chunks(spans: &[ReceivedSpan]) -> Vec<Trace> {
    let mut traces = BTreeMap::<&str, Vec<ReceivedSpan>>::new();
    for span in spans {
        traces.entry(&span.trace_id).or_default().push(span.clone());
    }
    let traces = traces.into_values().map(Trace);
    traces
        .filter(|trace| trace.count("cut chunk") > 0)
        .collect()
}

impl Trace {
    /// How many spans have this name.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.all(name).count()
    }

    /// The spans of this name, in the order in which they came.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &ReceivedSpan> {
        self.0.iter().filter(move |span| span.name == name)
    }

    /// The one span of this name.
    #[track_caller]
    pub(crate) fn one(&self, name: &str) -> &ReceivedSpan {
        let mut all = self.all(name);
        let first = all.next();
        let first = first.unwrap_or_else(|| panic!("no {name:?} in {:?}", self.names()));
        assert!(
            all.next().is_none(),
            "{name:?} more than once: {:?}",
            self.names()
        );
        first
    }

    /// The span that `span` belongs to.
    #[track_caller]
    pub(crate) fn parent(&self, span: &ReceivedSpan) -> &ReceivedSpan {
        let parent = self.0.iter().find(|other| other.span_id == span.parent_id);
        parent.unwrap_or_else(|| panic!("{:?} has lost its parent: {:?}", span.name, self.names()))
    }

    pub(crate) fn id(&self) -> &str {
        &self.0[0].trace_id
    }

    /// Who has made its spans.
    pub(crate) fn services(&self) -> BTreeSet<&str> {
        let spans = self.0.iter();
        spans
            .map(|span| span.resource["service.name"].as_str())
            .collect()
    }

    /// A cut alone has no parent, and every other span's is there.
    pub(crate) fn hangs_together(&self) -> bool {
        let ids: BTreeSet<_> = self.0.iter().map(|span| &span.span_id).collect();
        let (roots, others): (Vec<_>, Vec<_>) =
            self.0.iter().partition(|span| span.parent_id.is_empty());
        let is_cut = |span: &&ReceivedSpan| span.name == "cut chunk";
        roots.len() == 1
            && roots.iter().all(is_cut)
            && others.iter().all(|span| ids.contains(&span.parent_id))
    }

    /// Every delivery is its publishing's child, and linked to it.
    #[track_caller]
    pub(crate) fn deliveries_are_linked(&self) {
        for process in self.0.iter().filter(|s| s.name.starts_with("process ")) {
            let publish = self.parent(process);
            assert_eq!(
                publish.name.strip_prefix("publish "),
                process.name.strip_prefix("process ")
            );
            let link = (publish.trace_id.clone(), publish.span_id.clone());
            assert_eq!(process.links, [link]);
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let line = |span: &ReceivedSpan| {
            let (me, parent) = (&span.span_id[..4], span.parent_id.get(..4).unwrap_or("-"));
            format!("{} {me} of {parent} {:?}", span.name, span.attributes)
        };
        self.0.iter().map(line).collect()
    }
}
