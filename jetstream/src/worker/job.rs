//! A hand on one message: from its bytes to the decision what becomes of it.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use crispy_telemetry::context;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{
    Delivery, Processor,
    bench::Bench,
    held::Parcel,
    history::{Attempt, Failures},
    metrics,
    outcome::{Circumstances, Decision, Ending, decide},
    place::Place,
    suspects::Watch,
};
use crate::span;

/// A message whose handling has ended.
pub(super) struct Handled {
    pub(super) place: Place,
    /// What is published and logged because of it belongs there.
    pub(super) span: Span,
    pub(super) decision: Decision,
}

/// One message to be handled.
pub(super) struct Job<P> {
    pub(super) bench: Arc<Bench>,
    pub(super) processor: Arc<P>,
    pub(super) parcel: Arc<Parcel>,
    /// What this worker remembers of it.
    pub(super) failures: Option<Failures>,
    /// The destination has gone, by the word of another job: no use in going on.
    pub(super) outage: CancellationToken,
}

impl<P: Processor> Job<P> {
    /// Handles the message, and decides. Nothing of that is known to the server yet.
    pub(super) async fn run(self) -> Handled {
        let begun = Instant::now();
        let consumer = &self.bench.config.consumer;
        let delivery = self.parcel.delivery(self.failures);
        let bytes = self.parcel.payload.len();
        let span = self.processor.span(&delivery, consumer, bytes);
        span::adopt(&span, &delivery);
        let under_way = UnderWay(Some(&span));
        let decision = self.decide(&delivery).instrument(span.clone()).await;
        under_way.ended();
        metrics::handled(consumer, begun.elapsed(), &decision);
        Handled {
            place: self.parcel.place,
            span,
            decision,
        }
    }

    async fn decide(&self, delivery: &Delivery) -> Decision {
        let ending = self.handle(delivery).await;
        let before = self.failures.unwrap_or_default();
        let decision = decide(
            ending,
            &Circumstances {
                before,
                since_first: before.since_first(Instant::now()),
                limits: &self.bench.config.limits,
                random: rand::random(),
            },
        );
        if matches!(decision, Decision::HandBack { .. }) {
            // The worker hands it back at once, or not at all: by then it must be known whose it is.
            self.bench.stands(self.parcel.place).await;
        }
        Span::current().record("outcome", decision.outcome());
        if let Some(reason) = decision.reason() {
            context::fail(reason);
        }
        decision
    }

    async fn handle(&self, delivery: &Delivery) -> Ending {
        let message = match self.processor.decode(delivery, &self.parcel.payload) {
            Ok(message) => message,
            Err(error) => return Ending::Undecodable(error),
        };
        // One that this worker has seen the end of does not kill: it was handed back, or waited out an outage, which raises the server's count
        // just the same.
        let limits = &self.bench.config.limits;
        if delivery.deliveries < limits.suspicion
            || self.failures.is_some_and(|failures| failures.survived)
        {
            return self.call(message, delivery).await;
        }
        // In a box, for it is rare, and every job would carry its size.
        Box::pin(self.call_suspect(message, delivery)).await
    }

    async fn call_suspect(&self, message: P::Message, delivery: &Delivery) -> Ending {
        let (suspects, place) = (&self.bench.suspects, self.parcel.place);
        match suspects.watch(place, self.bench.config.limits.deaths).await {
            Ok(Watch::Alive(watched)) => {
                let ending = self.call(message, delivery).await;
                watched.survived().await;
                ending
            }
            Ok(Watch::Deadly { deaths }) => Ending::Deadly { deaths },
            Err(error) => Ending::Unwatched(error),
        }
    }

    async fn call(&self, message: P::Message, delivery: &Delivery) -> Ending {
        let handling = AssertUnwindSafe(self.processor.handle(message, delivery)).catch_unwind();
        match self.outage.run_until_cancelled(handling).await {
            Some(Ok(Ok(()))) => Ending::Done,
            Some(Ok(Err(failure))) => Ending::Failed(failure),
            Some(Err(panic)) => Ending::Panicked(said(&*panic)),
            None => Ending::CutShort,
        }
    }
}

/// A handling that has not ended. It is dropped as such when a stopping worker's grace is over, and then its span says so: the message goes
/// back, and whoever reads the trace sees why it was begun twice.
struct UnderWay<'a>(Option<&'a Span>);

impl UnderWay<'_> {
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let Some(span) = self.0 else { return };
        span.record("outcome", Attempt::Waited.outcome());
        span.in_scope(|| {
            context::fail("cut short: the worker's grace was over before it was done")
        });
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "something that is not text".to_owned())
}
