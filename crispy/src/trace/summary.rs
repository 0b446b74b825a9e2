//! Summary of one trace: its chunk, its latency from cut to inspection, its failures. Pure.

use crispy_proto::id::ChunkId;

use super::span::{Span, TraceId};

/// Name of a chunk's first span.
const CUT: &str = "cut chunk";
/// Prefix of the name of its inspection's span.
const INSPECTION: &str = "process uploaded.";

/// All spans of one trace.
#[derive(Debug)]
pub(super) struct TraceSummary {
    /// Its id.
    pub(super) id: TraceId,
    /// Its spans, at least one.
    pub(super) spans: Vec<Span>,
}

impl TraceSummary {
    /// Groups spans by trace, earliest trace first.
    pub(super) fn group(spans: Vec<Span>) -> Vec<Self> {
        let mut traces: Vec<Self> = Vec::new();
        for span in spans {
            match traces.iter_mut().find(|other| other.id == span.trace) {
                // Results of two searches may overlap.
                Some(trace) if trace.spans.iter().any(|other| other.id == span.id) => {}
                Some(trace) => trace.spans.push(span),
                None => traces.push(Self {
                    id: span.trace.clone(),
                    spans: vec![span],
                }),
            }
        }
        traces.sort_by_key(Self::start_ns);
        traces
    }

    /// Its start in Unix nanoseconds.
    pub(super) fn start_ns(&self) -> u64 {
        let starts = self.spans.iter().map(|span| span.start_ns);
        starts.min().unwrap_or_default()
    }

    /// Time from its first start to its last end, in nanoseconds.
    pub(super) fn length_ns(&self) -> u64 {
        let ends = self.spans.iter().map(Span::end_ns).max();
        ends.unwrap_or_default().saturating_sub(self.start_ns())
    }

    /// Its chunk.
    pub(super) fn chunk(&self) -> Option<ChunkId> {
        self.spans.iter().find_map(Span::chunk)
    }

    /// Time from the chunk's cut to the end of its successful inspection, in nanoseconds. `None`
    /// if one of them is not in the trace.
    pub(super) fn cut_to_inspected_ns(&self) -> Option<u64> {
        // A restarted ingestor adds a cut for a chunk that it finds committed: the first counts.
        let cuts = self.spans.iter().filter(|span| span.name == CUT);
        let cut = cuts.map(Span::end_ns).min()?;
        let inspections = self.spans.iter();
        let inspections =
            inspections.filter(|span| span.name.starts_with(INSPECTION) && span.error.is_none());
        // A redelivery after the inspection adds another one: the first counts.
        let end = inspections.map(Span::end_ns).min()?;
        Some(end.saturating_sub(cut))
    }

    /// Whether the trace holds the chunk's cut: a sampler may have dropped it.
    pub(super) fn has_cut(&self) -> bool {
        self.spans.iter().any(|span| span.name == CUT)
    }

    /// Number of failed spans.
    pub(super) fn errors(&self) -> usize {
        self.spans
            .iter()
            .filter(|span| span.error.is_some())
            .count()
    }

    /// Number of spans of redelivered messages.
    pub(super) fn redeliveries(&self) -> usize {
        let redelivered = self.spans.iter().filter(|span| span.redelivery().is_some());
        redelivered.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::otlp;

    fn recorded() -> Vec<Span> {
        otlp::spans(include_bytes!("fixtures/v3.json")).unwrap()
    }

    #[test]
    fn a_recorded_trace_is_summed_up() {
        let [trace] = &TraceSummary::group(recorded())[..] else {
            panic!("one trace was recorded")
        };
        let chunk = "demo/front/01M82C7XJ5HSDAXZ4F9DVKKH71/0000000003";
        assert_eq!(trace.chunk().unwrap().to_string(), chunk);
        assert_eq!((trace.errors(), trace.redeliveries()), (2, 1));
        assert_eq!(trace.length_ns(), 104_100_000);
        assert_eq!(trace.cut_to_inspected_ns(), Some(95_100_000));
    }

    #[test]
    fn the_first_cut_counts() {
        let mut spans = recorded();
        let mut again = spans.iter().find(|span| span.name == CUT).unwrap().clone();
        again.start_ns += 60_000_000_000;
        again.id = "00000000000000ff".into();
        spans.insert(0, again);
        let latency = TraceSummary::group(spans)[0].cut_to_inspected_ns();
        assert_eq!(latency, Some(95_100_000));
    }

    #[test]
    fn a_failed_inspection_gives_no_latency() {
        let mut spans = recorded();
        for span in &mut spans {
            if span.name.starts_with(INSPECTION) {
                span.error = Some("cannot be read".into());
            }
        }
        assert_eq!(TraceSummary::group(spans)[0].cut_to_inspected_ns(), None);
    }

    #[test]
    fn duplicate_spans_count_once_and_traces_are_in_order() {
        let (first, mut second) = (recorded(), recorded());
        for span in &mut second {
            span.trace = "0af7651916cd43dd8448eb211c80319c".parse().unwrap();
            span.start_ns -= 1;
        }
        let all = TraceSummary::group([first.clone(), second.clone(), first.clone()].concat());
        let found: Vec<_> = all
            .iter()
            .map(|trace| (&trace.id, trace.spans.len()))
            .collect();
        assert_eq!(found, [(&second[0].trace, 9), (&first[0].trace, 9)]);
    }
}
