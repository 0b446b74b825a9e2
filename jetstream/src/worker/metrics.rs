//! Metrics of a worker. They cost nothing where none are exported.

use std::time::Duration;

use crispy_telemetry::catalogue::{
    OUTCOME, QUEUE_BREAKER, QUEUE_DEAD, QUEUE_DELIVERED, QUEUE_HANDLING, QUEUE_IN_FLIGHT,
    QUEUE_REDELIVERED, QUEUE_SETTLED, STAGE,
};

use super::{Delivery, decision::Decision, retry_history::Attempt};

/// Exports counters at 0, so that `increase()` sees the first event.
pub(super) fn init_at_zero(consumer: &str) {
    for counter in [&QUEUE_DELIVERED, &QUEUE_REDELIVERED, &QUEUE_DEAD] {
        counter.add(0, &[(STAGE, consumer)]);
    }
    let unfinished = [Attempt::Counted, Attempt::Uncounted].map(Attempt::outcome);
    for outcome in ["acked", "dead"].into_iter().chain(unfinished) {
        QUEUE_SETTLED.add(0, &[(STAGE, consumer), (OUTCOME, outcome)]);
    }
}

/// Counts a delivery.
pub(super) fn delivered(consumer: &str, delivery: &Delivery) {
    let labels = [(STAGE, consumer)];
    QUEUE_DELIVERED.add(1, &labels);
    if delivery.deliveries > 1 {
        QUEUE_REDELIVERED.add(1, &labels);
    }
}

/// Records the duration of an attempt.
pub(super) fn attempted(consumer: &str, elapsed: Duration, decision: &Decision) {
    let labels = [(STAGE, consumer), (OUTCOME, decision.outcome())];
    QUEUE_HANDLING.record(elapsed.as_secs_f64(), &labels);
}

/// Counts an acknowledged message.
pub(super) fn acked(consumer: &str) {
    settled(consumer, "acked");
}

/// Counts a dead letter.
pub(super) fn dead_lettered(consumer: &str) {
    QUEUE_DEAD.add(1, &[(STAGE, consumer)]);
    settled(consumer, "dead");
}

/// Counts a message that went back.
pub(super) fn returned(consumer: &str, attempt: Attempt) {
    settled(consumer, attempt.outcome());
}

/// Sets the number of messages in flight.
pub(super) fn in_flight(consumer: &str, messages: usize) {
    QUEUE_IN_FLIGHT.set(messages as f64, &[(STAGE, consumer)]);
}

/// Sets the breaker's state.
pub(super) fn breaker(consumer: &str, open: bool) {
    QUEUE_BREAKER.set(f64::from(u8::from(open)), &[(STAGE, consumer)]);
}

fn settled(consumer: &str, outcome: &str) {
    QUEUE_SETTLED.add(1, &[(STAGE, consumer), (OUTCOME, outcome)]);
}
