//! Whether a human is needed, and what for. Pure.

use std::fmt;

use crispy_queue::{ConsumerState, Overview, Stage, Stream, StreamState, Work};
use crispy_runtime::Exit;

/// Share of a limit at which somebody should look before it is reached.
const NEARLY: f64 = 0.9;

/// Something that does not mend itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Concern {
    /// A stream does not exist.
    NoStream(String),
    /// A stage's durable does not exist.
    NoConsumer(Stage),
    /// A stage gave work up.
    Dead(Stage, u64),
    /// Work waits, and nobody asks for it or has any.
    NobodyWorks(Stage, u64),
    /// A stream that must not overflow has hardly any room left: percent.
    NearlyFull(String, u8),
    /// So much is in flight that soon nobody will be given more: percent.
    TooMuchInFlight(Stage, u8),
}

impl Concern {
    /// The row of the table of exit codes.
    fn exit(&self) -> Exit {
        match self {
            Self::NoStream(_) | Self::NoConsumer(_) => Exit::StreamsMissing,
            Self::Dead(..) => Exit::DeadLetters,
            _ => Exit::NeedsAttention,
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStream(name) => write!(f, "stream {name} is missing: run `crispy setup`"),
            Self::NoConsumer(stage) => {
                write!(
                    f,
                    "the consumer of every {stage} is missing: run `crispy setup`"
                )
            }
            Self::Dead(stage, 1) => {
                write!(f, "the {stage} gave up 1 message: see `crispy dead list`")
            }
            Self::Dead(stage, count) => {
                write!(
                    f,
                    "the {stage} gave up {count} messages: see `crispy dead list`"
                )
            }
            Self::NobodyWorks(stage, pending) => {
                write!(
                    f,
                    "{pending} messages wait and no {stage} asks for any: is one running?"
                )
            }
            Self::NearlyFull(name, percent) => write!(
                f,
                "stream {name} is {percent} % full: what is in its way, or is its limit too low?"
            ),
            Self::TooMuchInFlight(stage, percent) => write!(
                f,
                "{percent} % of what may be in flight at the {stage} is: which host is away?"
            ),
        }
    }
}

/// Everything that needs a human, the gravest first.
pub(super) fn concerns(overview: &Overview) -> Vec<Concern> {
    let missing = overview
        .streams
        .iter()
        .filter(|state| state.usage.is_none());
    let mut concerns: Vec<_> = missing
        .map(|state| Concern::NoStream(state.name.clone()))
        .collect();
    let unmade = overview
        .consumers
        .iter()
        .filter(|state| state.work.is_none());
    concerns.extend(unmade.map(|state| Concern::NoConsumer(state.stage)));
    let letters = overview.dead.iter();
    concerns.extend(letters.map(|(stage, count)| Concern::Dead(*stage, *count)));
    concerns.extend(overview.consumers.iter().filter_map(nobody_works));
    concerns.extend(overview.streams.iter().filter_map(nearly_full));
    concerns.extend(overview.consumers.iter().filter_map(too_much_in_flight));
    concerns
}

/// How the program ends: as the gravest concern says.
pub(super) fn exit(concerns: &[Concern]) -> Exit {
    concerns.first().map_or(Exit::Ok, Concern::exit)
}

/// Workers that are all busy ask for nothing either; then their work is in flight.
fn nobody_works(state: &ConsumerState) -> Option<Concern> {
    let Work {
        pending,
        in_flight,
        waiting_pulls,
        ..
    } = *state.work.as_ref()?;
    let idle = pending > 0 && in_flight == 0 && waiting_pulls == 0;
    idle.then_some(Concern::NobodyWorks(state.stage, pending))
}

/// Of streams that refuse when they are full, or lose what nobody has looked at. The others let go of their oldest, as they are meant to.
fn nearly_full(state: &StreamState) -> Option<Concern> {
    let holds = state.usage.as_ref()?;
    let overflows = matches!(state.stream, Stream::Chunks | Stream::Spools | Stream::Dead);
    let percent = nearly(holds.bytes, holds.limit.filter(|_| overflows)?)?;
    Some(Concern::NearlyFull(state.name.clone(), percent))
}

fn too_much_in_flight(state: &ConsumerState) -> Option<Concern> {
    let work = state.work.as_ref()?;
    let percent = nearly(work.in_flight, work.in_flight_limit)?;
    Some(Concern::TooMuchInFlight(state.stage, percent))
}

/// The share in percent, where it is over [`NEARLY`].
fn nearly(is: u64, limit: u64) -> Option<u8> {
    let share = is as f64 / limit.max(1) as f64;
    (limit > 0 && share > NEARLY).then_some((share * 100.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_queue::{Prefix, StreamUsage};

    fn well() -> Overview {
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

    fn after(change: impl FnOnce(&mut Overview)) -> Vec<Concern> {
        let mut overview = well();
        change(&mut overview);
        concerns(&overview)
    }

    #[test]
    fn busy_workers_and_streams_below_nine_tenths_concern_nobody() {
        assert_eq!(concerns(&well()), []);
        assert_eq!(exit(&[]), Exit::Ok);
    }

    fn work(change: fn(&mut Work)) -> Vec<Concern> {
        after(|overview| overview.consumers[0].work.as_mut().map(change).unwrap())
    }

    fn fill(at: usize) -> Vec<Concern> {
        after(|overview| overview.streams[at].usage.as_mut().unwrap().bytes = 91)
    }

    #[test]
    fn each_thing_that_does_not_mend_itself_is_a_concern_with_its_exit_code() {
        let no_stream = after(|overview| overview.streams[1].usage = None);
        let no_consumer = after(|overview| overview.consumers[0].work = None);
        let dead = after(|overview| overview.dead.extend([(Stage::Uploader, 2)]));
        let idle = work(|work| work.in_flight = 0);
        let held_up = work(|work| work.in_flight = 95);
        for (found, expected, code) in [
            (
                no_stream,
                Concern::NoStream("CRISPY_UPLOADED".into()),
                Exit::StreamsMissing,
            ),
            (
                no_consumer,
                Concern::NoConsumer(Stage::Uploader),
                Exit::StreamsMissing,
            ),
            (dead, Concern::Dead(Stage::Uploader, 2), Exit::DeadLetters),
            (
                idle,
                Concern::NobodyWorks(Stage::Uploader, 7),
                Exit::NeedsAttention,
            ),
            (
                held_up,
                Concern::TooMuchInFlight(Stage::Uploader, 95),
                Exit::NeedsAttention,
            ),
            (
                fill(0),
                Concern::NearlyFull("CRISPY_CHUNKS".into(), 91),
                Exit::NeedsAttention,
            ),
        ] {
            assert_eq!(found, [expected]);
            assert_eq!(exit(&found), code, "{found:?}");
        }
    }

    #[test]
    fn what_mends_itself_concerns_nobody() {
        let none: [Concern; 0] = [];
        let asked_for = work(|work| (work.in_flight, work.waiting_pulls) = (0, 1));
        let all_done = work(|work| (work.in_flight, work.pending) = (0, 0));
        // It lets go of its oldest, as it is meant to.
        let uploaded = fill(1);
        assert_eq!(
            [asked_for, all_done, uploaded],
            [none.clone(), none.clone(), none]
        );
    }

    #[test]
    fn the_gravest_concern_says_how_the_program_ends() {
        let found = after(|overview| {
            overview.dead.insert(Stage::Inspector, 1);
            overview.consumers[1].work = None;
        });
        assert_eq!(found.len(), 2);
        assert_eq!(exit(&found), Exit::StreamsMissing);
    }
}
