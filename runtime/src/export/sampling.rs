//! The choice of traces to keep: one in a hundred, say, and every failure.
//!
//! ```text
//!   head sampler: keep ───────────────────────────────────────► exported
//!                 drop ─► recorded all the same ─► ends well ─► forgotten
//!                                                └► fails ────► exported, under the trace's own id
//! ```
//!
//! A trace that was not sampled has no spans, and the chunk that failed at 3 a.m. belongs to such a
//! trace in 99 of 100 cases. So every span is recorded, and spans that end in error are exported
//! whatever the sampler decided. Programs need not agree on anything: all of them know the trace's
//! id, which the `traceparent` of an unsampled trace carries too, and each exports its own failures
//! under it. An error passes up through its process, from `PUT object` to `process chunks`, and
//! each span on the way ends in error: the exported spans hang together, and name camera, chunk and
//! attempt. The id is in the log line and in the dead letter.
//!
//! Rejected: keeping a trace's spans until its local root ends, and exporting all of them if one
//! failed. It needs memory and a limit for traces in flight, and adds only the spans that went
//! well, which the log knows. Recording is free, as measured: a span that is recorded and not
//! exported takes no longer than one that is not recorded (0.9 us each), for the time goes into the
//! layer itself.

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceId},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

use super::environment::Variables;

/// `OTEL_TRACES_SAMPLER` and its argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampling {
    /// Whether a trace that began elsewhere is kept if and only if it is kept there.
    parent_based: bool,
    /// The part of the others that is kept, 0 to 1.
    ratio: f64,
    /// `always_off` keeps nothing, failures neither. A ratio of 0 keeps failures.
    off: bool,
}

/// The specification's: `parentbased_always_on`.
impl Default for Sampling {
    fn default() -> Self {
        Self {
            parent_based: true,
            ratio: 1.0,
            off: false,
        }
    }
}

impl Sampling {
    pub(super) fn read(variables: &Variables<'_>) -> Self {
        let hint = "use always_on, always_off or traceidratio, each also as parentbased_…";
        let read = |name: &str| {
            let root = name.strip_prefix("parentbased_");
            let parent_based = root.is_some();
            let (ratio, off) = match root.unwrap_or(name) {
                "always_on" => (1.0, false),
                "always_off" => (0.0, true),
                "traceidratio" => {
                    let ratio = variables.number("OTEL_TRACES_SAMPLER_ARG", 0.0..=1.0);
                    (ratio.unwrap_or(1.0), false)
                }
                _ => return None,
            };
            Some(Self {
                parent_based,
                ratio,
                off,
            })
        };
        variables
            .parse("OTEL_TRACES_SAMPLER", hint, read)
            .unwrap_or_default()
    }

    /// The sampler of this choice.
    pub(super) fn sampler(self) -> Box<dyn ShouldSample> {
        let root = match self.off {
            true => Sampler::AlwaysOff,
            false => Sampler::TraceIdRatioBased(self.ratio),
        };
        let head: Box<dyn ShouldSample> = match self.parent_based {
            true => Box::new(Sampler::parent_based(root)),
            false => Box::new(root),
        };
        match self.off {
            true => head,
            false => Box::new(RecordAll { head }),
        }
    }
}

/// Records spans that its head would drop: their end decides about their export.
#[derive(Clone, Debug)]
struct RecordAll {
    head: Box<dyn ShouldSample>,
}

impl ShouldSample for RecordAll {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = self
            .head
            .should_sample(parent, trace, name, kind, attributes, links);
        if result.decision == SamplingDecision::Drop {
            result.decision = SamplingDecision::RecordOnly;
        }
        result
    }
}
