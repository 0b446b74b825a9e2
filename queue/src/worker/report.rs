//! What an operator is told of how a message ended. What went well is the stage's to tell.

use std::time::Duration;

use tracing::{error, warn};

use super::{closing::Closed, held::Parcel, history::Attempt};

/// It goes back, for another attempt by anybody.
pub(super) fn handed_back(parcel: &Parcel, pause: Duration, attempt: Attempt, reason: &str) {
    let (subject, sequence) = (parcel.subject.as_str(), parcel.place.sequence);
    warn!(
        subject,
        sequence,
        ?pause,
        counts = attempt == Attempt::Failed,
        error = reason,
        "handed back, to be tried again after the pause: if it comes to that often, see to what the error names"
    );
}

/// It was to be done, or given up, for good.
pub(super) fn closed(parcel: &Parcel, closed: &Closed) {
    let (subject, sequence) = (parcel.subject.as_str(), parcel.place.sequence);
    match closed {
        Closed::Acked { confirmed: true } => {}
        Closed::Acked { confirmed: false } => warn!(
            subject,
            sequence,
            "done, but the server did not confirm it: the message will come again, and whoever gets it finds it done"
        ),
        Closed::Buried { kind, reason } => error!(
            subject,
            sequence,
            kind = kind.as_str_name(),
            error = reason,
            "given up, and kept in a dead letter: mend what the error names, then `crispy dead replay`"
        ),
        Closed::Unburied {
            pause,
            attempt,
            reason,
        } => handed_back(parcel, *pause, *attempt, reason),
    }
}
