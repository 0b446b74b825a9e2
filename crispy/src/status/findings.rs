//! Findings that need an operator's attention. Pure.

use std::fmt;

use crispy_queue::{ConsumerState, Overview, Stage, Stream, StreamState, Work};
use crispy_runtime::Exit;

/// Share of a limit from which it is reported.
const NEARLY_FULL: f64 = 0.9;

/// A problem that does not resolve by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// A stream does not exist.
    NoStream(String),
    /// A stage's consumer does not exist.
    NoConsumer(Stage),
    /// A stage has dead letters: their number.
    DeadLetters(Stage, u64),
    /// Messages wait, and no worker pulls or has any: their number.
    NoWorkers(Stage, u64),
    /// A stream that must not overflow is nearly full: percent.
    NearlyFull(String, u8),
    /// So many messages are in flight that the server will soon stop deliveries: percent.
    InFlightNearLimit(Stage, u8),
}

impl Finding {
    /// Its exit code.
    fn exit(&self) -> Exit {
        match self {
            Self::NoStream(_) | Self::NoConsumer(_) => Exit::StreamsMissing,
            Self::DeadLetters(..) => Exit::DeadLetters,
            _ => Exit::NeedsAttention,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStream(name) => write!(f, "stream {name} is missing: run `crispy setup`"),
            Self::NoConsumer(stage) => {
                write!(
                    f,
                    "the consumer of stage {stage} is missing: run `crispy setup`"
                )
            }
            Self::DeadLetters(stage, 1) => {
                write!(f, "1 dead letter of stage {stage}: see `crispy dead list`")
            }
            Self::DeadLetters(stage, count) => {
                write!(
                    f,
                    "{count} dead letters of stage {stage}: see `crispy dead list`"
                )
            }
            Self::NoWorkers(stage, pending) => {
                write!(
                    f,
                    "{pending} messages wait and no {stage} pulls: check that one is running"
                )
            }
            Self::NearlyFull(name, percent) => write!(
                f,
                "stream {name} is {percent} % full: check its readers, or raise its limit"
            ),
            Self::InFlightNearLimit(stage, percent) => write!(
                f,
                "messages in flight at stage {stage} are at {percent} % of their limit: look for an unavailable spool or bucket"
            ),
        }
    }
}

/// All findings, the most severe first.
pub(super) fn findings(overview: &Overview) -> Vec<Finding> {
    let missing = overview
        .streams
        .iter()
        .filter(|state| state.usage.is_none());
    let mut findings: Vec<_> = missing
        .map(|state| Finding::NoStream(state.name.clone()))
        .collect();
    let missing = overview
        .consumers
        .iter()
        .filter(|state| state.work.is_none());
    findings.extend(missing.map(|state| Finding::NoConsumer(state.stage)));
    let letters = overview.dead.iter();
    findings.extend(letters.map(|(stage, count)| Finding::DeadLetters(*stage, *count)));
    findings.extend(overview.consumers.iter().filter_map(no_workers));
    findings.extend(overview.streams.iter().filter_map(nearly_full));
    findings.extend(overview.consumers.iter().filter_map(in_flight_near_limit));
    findings
}

/// The exit code of the most severe finding.
pub(super) fn exit(findings: &[Finding]) -> Exit {
    findings.first().map_or(Exit::Ok, Finding::exit)
}

/// Busy workers do not pull either, but have messages in flight.
fn no_workers(state: &ConsumerState) -> Option<Finding> {
    let Work {
        pending,
        in_flight,
        waiting_pulls,
        ..
    } = *state.work.as_ref()?;
    let idle = pending > 0 && in_flight == 0 && waiting_pulls == 0;
    idle.then_some(Finding::NoWorkers(state.stage, pending))
}

/// Only streams that refuse messages when full, or would lose unseen ones. The others discard their
/// oldest by design.
fn nearly_full(state: &StreamState) -> Option<Finding> {
    let usage = state.usage.as_ref()?;
    let overflows = matches!(state.stream, Stream::Chunks | Stream::Spools | Stream::Dead);
    let percent = nearly_full_percent(usage.bytes, usage.limit.filter(|_| overflows)?)?;
    Some(Finding::NearlyFull(state.name.clone(), percent))
}

fn in_flight_near_limit(state: &ConsumerState) -> Option<Finding> {
    let work = state.work.as_ref()?;
    let percent = nearly_full_percent(work.in_flight, work.in_flight_limit)?;
    Some(Finding::InFlightNearLimit(state.stage, percent))
}

/// The share in percent, if it is above [`NEARLY_FULL`].
fn nearly_full_percent(used: u64, limit: u64) -> Option<u8> {
    let share = used as f64 / limit.max(1) as f64;
    (limit > 0 && share > NEARLY_FULL).then_some((share * 100.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_queue::{Prefix, StreamUsage};

    fn healthy() -> Overview {
        let prefix = Prefix::default();
        let stream = |stream: Stream| StreamState {
            stream,
            name: stream.name(&prefix),
            usage: Some(StreamUsage {
                messages: 5,
                bytes: 90,
                limit: Some(100),
                oldest: None,
            }),
        };
        let consumer = |stage| ConsumerState {
            stage,
            work: Some(Work {
                pending: 7,
                in_flight: 90,
                in_flight_limit: 100,
                redelivered: 3,
                waiting_pulls: 0,
            }),
        };
        Overview {
            streams: Stream::ALL.map(stream).into(),
            consumers: Stage::ALL.map(consumer).into(),
            ..Overview::default()
        }
    }

    fn after(change: impl FnOnce(&mut Overview)) -> Vec<Finding> {
        let mut overview = healthy();
        change(&mut overview);
        findings(&overview)
    }

    #[test]
    fn a_healthy_queue_has_no_findings() {
        assert_eq!(findings(&healthy()), []);
        assert_eq!(exit(&[]), Exit::Ok);
    }

    fn work(change: fn(&mut Work)) -> Vec<Finding> {
        after(|overview| overview.consumers[0].work.as_mut().map(change).unwrap())
    }

    fn fill(at: usize) -> Vec<Finding> {
        after(|overview| overview.streams[at].usage.as_mut().unwrap().bytes = 91)
    }

    #[test]
    fn each_problem_is_a_finding_with_its_exit_code() {
        let no_stream = after(|overview| overview.streams[1].usage = None);
        let no_consumer = after(|overview| overview.consumers[0].work = None);
        let dead = after(|overview| overview.dead.extend([(Stage::Uploader, 2)]));
        let idle = work(|work| work.in_flight = 0);
        let near_limit = work(|work| work.in_flight = 95);
        for (found, expected, code) in [
            (
                no_stream,
                Finding::NoStream("CRISPY_UPLOADED".into()),
                Exit::StreamsMissing,
            ),
            (
                no_consumer,
                Finding::NoConsumer(Stage::Uploader),
                Exit::StreamsMissing,
            ),
            (
                dead,
                Finding::DeadLetters(Stage::Uploader, 2),
                Exit::DeadLetters,
            ),
            (
                idle,
                Finding::NoWorkers(Stage::Uploader, 7),
                Exit::NeedsAttention,
            ),
            (
                near_limit,
                Finding::InFlightNearLimit(Stage::Uploader, 95),
                Exit::NeedsAttention,
            ),
            (
                fill(0),
                Finding::NearlyFull("CRISPY_CHUNKS".into(), 91),
                Exit::NeedsAttention,
            ),
        ] {
            assert_eq!(found, [expected]);
            assert_eq!(exit(&found), code, "{found:?}");
        }
    }

    #[test]
    fn problems_that_resolve_themselves_are_no_findings() {
        let none: [Finding; 0] = [];
        let pulled = work(|work| (work.in_flight, work.waiting_pulls) = (0, 1));
        let all_done = work(|work| (work.in_flight, work.pending) = (0, 0));
        // This stream discards its oldest by design.
        let uploaded = fill(1);
        assert_eq!(
            [pulled, all_done, uploaded],
            [none.clone(), none.clone(), none]
        );
    }

    #[test]
    fn the_most_severe_finding_decides_the_exit_code() {
        let found = after(|overview| {
            overview.dead.insert(Stage::Inspector, 1);
            overview.consumers[1].work = None;
        });
        assert_eq!(found.len(), 2);
        assert_eq!(exit(&found), Exit::StreamsMissing);
    }
}
