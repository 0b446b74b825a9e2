//! Log lines about messages that were not handled at the first attempt.

use std::time::Duration;

use tracing::{error, warn};

use super::{Delivery, decision::Reason, retry_history::Attempt, settle::Settled};

/// Logs that a message goes back.
pub(super) fn returned(
    delivery: &Delivery,
    chunk: Option<&str>,
    delay: Duration,
    attempt: Attempt,
    reason: &Reason,
) {
    warn!(
        chunk,
        subject = delivery.subject,
        stream_sequence = delivery.stream_sequence,
        delivery = delivery.deliveries,
        ?delay,
        counted = attempt == Attempt::Counted,
        error = reason.error,
        hint = reason.hint.as_deref(),
        "message will be retried"
    );
}

/// Logs the end of a message, unless it was handled.
pub(super) fn settled(delivery: &Delivery, chunk: Option<&str>, settled: &Settled) {
    match settled {
        Settled::Acked { confirmed: true } => {}
        // The next attempt finds the work done.
        Settled::Acked { confirmed: false } => warn!(
            chunk,
            subject = delivery.subject,
            stream_sequence = delivery.stream_sequence,
            "acknowledgement not confirmed, message will be delivered again"
        ),
        Settled::DeadLettered { kind, reason } => error!(
            chunk,
            subject = delivery.subject,
            stream_sequence = delivery.stream_sequence,
            kind = kind.as_str(),
            error = reason.error,
            hint = reason
                .hint
                .as_deref()
                .unwrap_or("fix the cause, then run `crispy dead replay`"),
            "message stored as dead letter"
        ),
        Settled::Returned {
            delay,
            attempt,
            reason,
        } => returned(delivery, chunk, *delay, *attempt, reason),
    }
}
