//! What a worker measures. Where nobody reads it, nothing is.

use std::time::Duration;

use crispy_telemetry::catalogue::{
    OUTCOME, QUEUE_BREAKER, QUEUE_DEAD, QUEUE_DELIVERED, QUEUE_HANDLING, QUEUE_IN_FLIGHT,
    QUEUE_REDELIVERED, QUEUE_SETTLED, STAGE,
};

use super::{held::Parcel, history::Attempt, outcome::Decision};

/// Nothing has happened yet, which is a number too: an alert hears of the first time as of an increase.
pub(super) fn begins(stage: &str) {
    let of = [(STAGE, stage)];
    for counter in [&QUEUE_DELIVERED, &QUEUE_REDELIVERED, &QUEUE_DEAD] {
        counter.add(0, &of);
    }
    let retries = [Attempt::Failed, Attempt::Waited].map(Attempt::outcome);
    for outcome in ["acked", "dead"].into_iter().chain(retries) {
        QUEUE_SETTLED.add(0, &[(STAGE, stage), (OUTCOME, outcome)]);
    }
}

/// A message has come.
pub(super) fn delivered(stage: &str, parcel: &Parcel) {
    let stage = [(STAGE, stage)];
    QUEUE_DELIVERED.add(1, &stage);
    if parcel.facts.deliveries > 1 {
        QUEUE_REDELIVERED.add(1, &stage);
    }
}

/// The handling of one delivery has ended.
pub(super) fn handled(stage: &str, took: Duration, decision: &Decision) {
    let attributes = [(STAGE, stage), (OUTCOME, decision.outcome())];
    QUEUE_HANDLING.record(took.as_secs_f64(), &attributes);
}

/// A message is acknowledged.
pub(super) fn acked(stage: &str) {
    settled(stage, "acked");
}

/// A dead letter is written.
pub(super) fn buried(stage: &str) {
    QUEUE_DEAD.add(1, &[(STAGE, stage)]);
    settled(stage, "dead");
}

/// A message went back, by its own fault or not.
pub(super) fn gave_back(stage: &str, attempt: Attempt) {
    settled(stage, attempt.outcome());
}

/// So many messages are held.
pub(super) fn holds(stage: &str, messages: usize) {
    QUEUE_IN_FLIGHT.set(messages as f64, &[(STAGE, stage)]);
}

/// Whether the work is paused.
pub(super) fn paused(stage: &str, paused: bool) {
    QUEUE_BREAKER.set(f64::from(u8::from(paused)), &[(STAGE, stage)]);
}

fn settled(stage: &str, outcome: &str) {
    QUEUE_SETTLED.add(1, &[(STAGE, stage), (OUTCOME, outcome)]);
}
