//! The end of one message: what was decided becomes true on the server, however long that takes.
//!
//! No hand is needed for that, so a message that is being closed holds up none that waits for one; it is held and kept alive until it is over.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use crispy_fault::chain;
use jiff::Timestamp;
use tokio::time::timeout;

use super::{
    DeadLetter, DeadLetterKind as Kind, Processor,
    bench::Bench,
    held::Parcel,
    history::{Attempt, Failures},
    place::Place,
    settle,
};

/// How it ended.
#[derive(Debug)]
pub(super) enum Closed {
    /// Done.
    Acked { confirmed: bool },
    /// Given up, the dead letter stored.
    Buried { kind: Kind, reason: String },
    /// Its dead letter could not be stored, so it is not given up.
    Unburied {
        pause: Duration,
        attempt: Attempt,
        reason: String,
    },
}

/// Done: the server has to know.
pub(super) async fn ack(bench: Arc<Bench>, parcel: Arc<Parcel>) -> (Place, Closed) {
    let confirmed = confirmed(&bench, &parcel, settle::ACK).await;
    (parcel.place, Closed::Acked { confirmed })
}

/// Dead letter first, as long as that takes; then the end.
pub(super) async fn bury<P: Processor>(
    bench: Arc<Bench>,
    processor: Arc<P>,
    parcel: Arc<Parcel>,
    failures: Option<Failures>,
    kind: Kind,
    reason: String,
) -> (Place, Closed) {
    let place = parcel.place;
    let now = Timestamp::now().as_microsecond();
    let first = failures.and_then(|failures| failures.first);
    let letter = DeadLetter {
        delivery: &parcel.delivery(failures),
        payload: &parcel.payload,
        kind,
        reason: &reason,
        first_failure_us: first.map_or(now, |(_, first)| first.as_microsecond()),
        last_failure_us: now,
    };
    let limits = &bench.config.limits;
    let publishing = processor.dead_letter(letter);
    let problem = match timeout(limits.burying, publishing).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(chain(&error)),
        Err(_) => Some(format!(
            "not stored for {:?}: see to the stream of dead letters (`crispy status`)",
            limits.burying
        )),
    };
    if let Some(problem) = problem {
        let closed = Closed::Unburied {
            pause: limits.longest_absence,
            attempt: match kind {
                Kind::CrashGuard => Attempt::Refrained,
                _ => Attempt::Waited,
            },
            reason: format!("write the dead letter: {problem}"),
        };
        return (place, closed);
    }
    confirmed(&bench, &parcel, settle::term(&reason)).await;
    if kind == Kind::CrashGuard {
        bench.suspects.clear(place).await;
    }
    (place, Closed::Buried { kind, reason })
}

/// Says `body` of the message, confirmed by the server. False where no confirmation came.
async fn confirmed(bench: &Bench, parcel: &Parcel, body: Bytes) -> bool {
    for _ in 0..settle::ATTEMPTS {
        if !bench.stands(parcel.place).await {
            continue;
        }
        let link = bench.connection.consuming();
        if let Some(confirmed) = settle::confirmed(link, &parcel.reply, body.clone()).await {
            return confirmed;
        }
    }
    false
}
