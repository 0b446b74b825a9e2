//! Which traces are kept: one in a hundred, say, and every failure.
//!
//! ```text
//!   head sampler: keep ───────────────────────────────────────────► exported
//!                 drop ─► recorded all the same ─► ends well ─────► forgotten
//!                                                └► ends in error ─► exported, under the trace's own id
//! ```
//!
//! A trace that was not sampled has no spans to look at, and the one that failed at 3 a.m. is in 99 of 100 cases such a trace. So every span
//! is recorded, and those that end in error are exported whatever the sampler said. Nothing has to be agreed between programs: all of
//! them know the trace's id, which the `traceparent` carries with the flag of an unsampled trace too, and each exports its own failures
//! under it. An error is handed up through its process, from `PUT object` to `process chunks`, and each span on the way ends in error:
//! what is exported hangs together, and names camera, chunk and attempt. The id is in the log line and in the dead letter.
//!
//! Considered and left: to keep a trace's spans until its local root ends, and export all of them if one failed. It needs memory and a limit
//! for what is under way, and adds the spans that went well, of which the log knows. What recording costs: measured before, a span that is
//! recorded and not exported takes no longer than one that is not recorded (0.9 us each), for the time goes into the layer itself.

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceId},
};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

use super::environment::{Environment, WrongVariable, wrong};

/// `OTEL_TRACES_SAMPLER` and its argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampling {
    /// Whether a trace that began elsewhere is kept if and only if it is kept there.
    parent_based: bool,
    /// What part of the others is kept, 0 to 1.
    ratio: f64,
    /// Nothing at all: `always_off`, which is no ratio but a wish.
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
    pub(super) fn read(environment: &Environment<'_>) -> Result<Self, WrongVariable> {
        let variable = "OTEL_TRACES_SAMPLER";
        let Some(name) = environment.get(variable)? else {
            return Ok(Self::default());
        };
        let (parent_based, root) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name.as_str()),
        };
        let (ratio, off) = match root {
            "always_on" => (1.0, false),
            "always_off" => (0.0, true),
            "traceidratio" => {
                let ratio = environment.number("OTEL_TRACES_SAMPLER_ARG", 0.0..=1.0)?;
                (ratio.unwrap_or(1.0), false)
            }
            _ => {
                let reason = "use always_on, always_off or traceidratio, each with parentbased_ before it or not";
                return Err(wrong(variable, &name, reason));
            }
        };
        Ok(Self {
            parent_based,
            ratio,
            off,
        })
    }

    /// The sampler that does so.
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

/// Records what its head would drop: whether it has to be exported is known when it ends.
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
