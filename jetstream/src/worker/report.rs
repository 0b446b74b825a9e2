//! What an operator is told of how a message ended. What went well is the stage's to tell.

use std::time::Duration;

use tracing::{error, warn};

use super::{closing::Closed, held::Parcel, history::Attempt};

/// What an operator finds a message by.
struct Named<'a> {
    chunk: Option<&'a str>,
    subject: &'a str,
    sequence: u64,
}

impl<'a> Named<'a> {
    fn of(parcel: &'a Parcel, chunk: Option<&'a str>) -> Self {
        Self {
            chunk,
            subject: &parcel.subject,
            sequence: parcel.place.sequence,
        }
    }
}

/// It goes back, for another attempt by anybody.
pub(super) fn handed_back(
    parcel: &Parcel,
    chunk: Option<&str>,
    pause: Duration,
    attempt: Attempt,
    reason: &str,
) {
    let message = Named::of(parcel, chunk);
    warn!(
        chunk = message.chunk,
        subject = message.subject,
        stream_sequence = message.sequence,
        delivery = parcel.facts.deliveries,
        ?pause,
        counts = attempt == Attempt::Failed,
        error = reason,
        "handed back, to be tried again after the pause: if it comes to that often, see to what the error names"
    );
}

/// It was to be done, or given up, for good.
pub(super) fn closed(parcel: &Parcel, chunk: Option<&str>, closed: &Closed) {
    let message = Named::of(parcel, chunk);
    match closed {
        Closed::Acked { confirmed: true } => {}
        Closed::Acked { confirmed: false } => warn!(
            chunk = message.chunk,
            subject = message.subject,
            stream_sequence = message.sequence,
            "done, but the server did not confirm it: the message will come again, and whoever gets it finds it done; nothing to do"
        ),
        Closed::Buried { kind, reason } => error!(
            chunk = message.chunk,
            subject = message.subject,
            stream_sequence = message.sequence,
            kind = kind.as_str(),
            error = reason,
            "given up, and kept in a dead letter: mend what the error names, then `crispy dead replay`"
        ),
        Closed::Unburied {
            pause,
            attempt,
            reason,
        } => handed_back(parcel, chunk, *pause, *attempt, reason),
    }
}
