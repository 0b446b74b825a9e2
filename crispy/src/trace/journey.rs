//! What the spans of one trace add up to: which chunk, how long from its cut to its inspection, what went wrong. Pure.

use crispy_proto::id::ChunkId;

use super::span::{Span, TraceId};

/// Where a chunk's trace begins, and the work that ends it: the names that its spans have.
const CUT: &str = "cut chunk";
const INSPECTION: &str = "process uploaded.";

/// One trace as a whole.
#[derive(Debug)]
pub(super) struct Journey {
    /// Its id.
    pub(super) trace: TraceId,
    /// Its spans, at least one.
    pub(super) spans: Vec<Span>,
}

impl Journey {
    /// The traces that spans are part of, the one that began first before the others.
    pub(super) fn all(spans: Vec<Span>) -> Vec<Self> {
        let mut journeys: Vec<Self> = Vec::new();
        for span in spans {
            match journeys.iter_mut().find(|other| other.trace == span.trace) {
                // Answers to two questions may overlap.
                Some(journey) if journey.spans.iter().any(|other| other.id == span.id) => {}
                Some(journey) => journey.spans.push(span),
                None => journeys.push(Self {
                    trace: span.trace.clone(),
                    spans: vec![span],
                }),
            }
        }
        journeys.sort_by_key(Self::start_ns);
        journeys
    }

    /// When it began, in Unix nanoseconds.
    pub(super) fn start_ns(&self) -> u64 {
        let starts = self.spans.iter().map(|span| span.start_ns);
        starts.min().unwrap_or_default()
    }

    /// From its first beginning to its last end, in nanoseconds.
    pub(super) fn length_ns(&self) -> u64 {
        let ends = self.spans.iter().map(Span::end_ns).max();
        ends.unwrap_or_default().saturating_sub(self.start_ns())
    }

    /// The chunk that it is about.
    pub(super) fn chunk(&self) -> Option<ChunkId> {
        self.spans.iter().find_map(Span::chunk)
    }

    /// From when the chunk was cut to when its inspection ended well, in nanoseconds. `None` while one of them is not in the trace.
    pub(super) fn cut_to_inspected_ns(&self) -> Option<u64> {
        // What an ingestor finds committed when it is started anew was cut the first time.
        let cuts = self.spans.iter().filter(|span| span.name == CUT);
        let cut = cuts.map(Span::end_ns).min()?;
        let inspections = self.spans.iter();
        let inspections =
            inspections.filter(|span| span.name.starts_with(INSPECTION) && span.error.is_none());
        // A chunk that is delivered again after its inspection was inspected the first time.
        let end = inspections.map(Span::end_ns).min()?;
        Some(end.saturating_sub(cut))
    }

    /// Whether its beginning is in the trace: a sampler may have left that out.
    pub(super) fn was_cut(&self) -> bool {
        self.spans.iter().any(|span| span.name == CUT)
    }

    /// Spans that failed.
    pub(super) fn errors(&self) -> usize {
        self.spans
            .iter()
            .filter(|span| span.error.is_some())
            .count()
    }

    /// Spans that are the work of a message that was delivered again.
    pub(super) fn redeliveries(&self) -> usize {
        let again = self.spans.iter().filter(|span| span.redelivery().is_some());
        again.count()
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
    fn a_recorded_trace_adds_up() {
        let [journey] = &Journey::all(recorded())[..] else {
            panic!("one trace was recorded")
        };
        let chunk = "demo/front/01M82C7XJ5HSDAXZ4F9DVKKH71/0000000003";
        assert_eq!(journey.chunk().unwrap().to_string(), chunk);
        assert_eq!((journey.errors(), journey.redeliveries()), (2, 1));
        assert_eq!(journey.length_ns(), 104_100_000);
        assert_eq!(journey.cut_to_inspected_ns(), Some(95_100_000));
    }

    #[test]
    fn what_is_found_committed_later_was_cut_the_first_time() {
        let mut spans = recorded();
        let mut again = spans.iter().find(|span| span.name == CUT).unwrap().clone();
        again.start_ns += 60_000_000_000;
        again.id = "00000000000000ff".into();
        spans.insert(0, again);
        let latency = Journey::all(spans)[0].cut_to_inspected_ns();
        assert_eq!(latency, Some(95_100_000));
    }

    #[test]
    fn a_chunk_that_no_inspection_passed_has_no_latency() {
        let mut spans = recorded();
        for span in &mut spans {
            if span.name.starts_with(INSPECTION) {
                span.error = Some("cannot be read".into());
            }
        }
        assert_eq!(Journey::all(spans)[0].cut_to_inspected_ns(), None);
    }

    #[test]
    fn spans_that_come_twice_count_once_and_traces_stand_in_the_order_of_time() {
        let (first, mut second) = (recorded(), recorded());
        for span in &mut second {
            span.trace = "0af7651916cd43dd8448eb211c80319c".parse().unwrap();
            span.start_ns -= 1;
        }
        let all = Journey::all([first.clone(), second.clone(), first.clone()].concat());
        let found: Vec<_> = all
            .iter()
            .map(|journey| (&journey.trace, journey.spans.len()))
            .collect();
        assert_eq!(found, [(&second[0].trace, 9), (&first[0].trace, 9)]);
    }
}
