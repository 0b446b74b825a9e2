//! What follows from the end of a handling: the server is told, what is published and logged belongs to the handling's span, and it is counted.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::{Instrument, Span, warn};

use super::{
    super::{
        Processor,
        closing::{self, Closed},
        held::Parcel,
        history::Attempt,
        job::Handled,
        metrics,
        outcome::Decision,
        place::Place,
        report,
    },
    Shift, hand_back,
};

impl<P: Processor> Shift<P> {
    pub(super) async fn decided(&mut self, handled: Handled) {
        let Handled {
            place,
            span,
            decision,
        } = handled;
        let Some(parcel) = self.held.get(place) else {
            return;
        };
        let bench = Arc::clone(&self.bench);
        match decision {
            Decision::Ack => self.close(span, closing::ack(bench, parcel)),
            Decision::Bury { kind, reason } => {
                let failures = self.history.get(place);
                let processor = Arc::clone(&self.processor);
                self.close(
                    span,
                    closing::bury(bench, processor, parcel, failures, kind, reason),
                );
            }
            Decision::Hold { news } => span.in_scope(|| self.hold(place, news.as_deref())),
            Decision::HandBack {
                pause,
                attempt,
                reason,
            } => {
                span.in_scope(|| {
                    report::handed_back(&parcel, self.label(&parcel), pause, attempt, &reason)
                });
                self.give_back(&parcel, pause, attempt).await;
            }
        }
    }

    fn label<'a>(&self, parcel: &'a Parcel) -> Option<&'a str> {
        self.processor.label(&parcel.headers)
    }

    fn close(
        &mut self,
        span: Span,
        closing: impl Future<Output = (Place, Closed)> + Send + 'static,
    ) {
        let closing = closing.map(|(place, closed)| (place, Span::current(), closed));
        self.closing.push(Box::pin(closing.instrument(span)));
    }

    pub(super) async fn closed(&mut self, (place, span, closed): (Place, Span, Closed)) {
        let Some(parcel) = self.held.get(place) else {
            return;
        };
        span.in_scope(|| report::closed(&parcel, self.label(&parcel), &closed));
        match closed {
            Closed::Acked { .. } => {
                metrics::acked(&self.bench.config.consumer);
                self.drained.handled += 1;
            }
            Closed::Buried { .. } => {
                metrics::buried(&self.bench.config.consumer);
                self.drained.buried += 1;
            }
            Closed::Unburied { pause, attempt, .. } => {
                return self.give_back(&parcel, pause, attempt).await;
            }
        }
        self.held.release(place);
        self.history.forget(place);
    }

    /// For another attempt, by anybody.
    async fn give_back(&mut self, parcel: &Parcel, pause: Duration, attempt: Attempt) {
        self.held.release(parcel.place);
        self.history.add(parcel.place, attempt);
        self.drained.retried += 1;
        metrics::gave_back(&self.bench.config.consumer, attempt);
        hand_back(&self.bench, parcel, pause).await;
    }

    /// The destination is away, for this message and so for all: what others are at cannot succeed either, and may hang for long. One that was
    /// cut short has no news of that, and may come when it is back already.
    fn hold(&mut self, place: Place, news: Option<&str>) {
        self.history.add(place, Attempt::Waited);
        self.held.wait_again(place);
        if let Some(reason) = news
            && self.breaker.open(Instant::now())
        {
            warn!(
                error = reason,
                "the destination is away: waiting for it, nothing is lost meanwhile; see to what the error names"
            );
            metrics::paused(&self.bench.config.consumer, true);
            self.state.send_modify(|state| state.destination = false);
            self.outage.cancel();
        }
    }
}
