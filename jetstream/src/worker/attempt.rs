//! One attempt at a message: decode, handle, decide.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use crispy_fault::Fault;
use crispy_telemetry::context;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{
    Delivery, Processor,
    crash_guard::Admission,
    decision::{Circumstances, Decision, HandlerResult, decide},
    delivery::MessageRef,
    metrics,
    retry_history::{self, Failures},
    shared::Shared,
};
use crate::span;

/// A finished attempt.
pub(super) struct Attempted {
    pub(super) message: MessageRef,
    /// The span of the attempt: what follows from it is published and logged there.
    pub(super) span: Span,
    pub(super) decision: Decision,
}

/// One attempt at a message.
pub(super) struct Attempt<P> {
    pub(super) shared: Arc<Shared>,
    pub(super) processor: Arc<P>,
    pub(super) delivery: Arc<Delivery>,
    /// The message's earlier failures in this process.
    pub(super) failures: Option<Failures>,
    /// Cancelled when another attempt finds a shared dependency unavailable.
    pub(super) outage: CancellationToken,
}

impl<P: Processor> Attempt<P> {
    /// Handles the message and decides. Sends nothing to the server.
    pub(super) async fn run(self) -> Attempted {
        let started = Instant::now();
        let consumer = &self.shared.config.consumer;
        let span = self.processor.span(&self.delivery, consumer);
        span::adopt(&span, &self.delivery);
        let unfinished = Unfinished(Some(&span));
        let decision = self.decide().instrument(span.clone()).await;
        unfinished.disarm();
        metrics::attempted(consumer, started.elapsed(), &decision);
        Attempted {
            message: self.delivery.message_ref(),
            span,
            decision,
        }
    }

    async fn decide(&self) -> Decision {
        let result = self.handle().await;
        let failures = self.failures.unwrap_or_default();
        let decision = decide(
            result,
            &Circumstances {
                failures,
                since_first: failures.since_first(Instant::now()),
                limits: &self.shared.config.limits,
                random: rand::random(),
            },
        );
        if matches!(decision, Decision::Nak { .. }) {
            // The run loop sends a nak at once or not at all: the epoch must be known by then.
            self.shared.is_current(self.delivery.message_ref()).await;
        }
        Span::current().record("outcome", decision.outcome());
        if let Some(error) = decision.error() {
            context::fail(error);
        }
        decision
    }

    async fn handle(&self) -> HandlerResult {
        let message = match self.processor.decode(&self.delivery) {
            Ok(message) => message,
            Err(error) => return HandlerResult::Undecodable(error),
        };
        // A message of which this process survived an attempt does not kill: it was handed back, or
        // waited out an outage, which raises the server's count just the same.
        let suspicious = self.shared.config.limits.suspicious_deliveries;
        if self.delivery.deliveries < suspicious
            || self.failures.is_some_and(|failures| failures.survived)
        {
            return self.call(message).await;
        }
        // Boxed because it is rare, and every attempt would carry its size.
        Box::pin(self.call_guarded(message)).await
    }

    async fn call_guarded(&self, message: P::Message) -> HandlerResult {
        let limit = self.shared.config.limits.crashes;
        let reference = self.delivery.message_ref();
        match self.shared.crash_guard.admit(reference, limit).await {
            Ok(Admission::Admitted(marked)) => {
                let result = self.call(message).await;
                marked.clear().await;
                result
            }
            Ok(Admission::Refused { crashes }) => HandlerResult::CrashLimit { crashes },
            Err(fault) => HandlerResult::Unguarded(fault),
        }
    }

    async fn call(&self, message: P::Message) -> HandlerResult {
        let handling = self.processor.handle(message, &self.delivery);
        let handling = AssertUnwindSafe(handling).catch_unwind();
        match self.outage.run_until_cancelled(handling).await {
            Some(Ok(result)) => HandlerResult::Finished(result),
            Some(Err(panic)) => {
                let text = format!("the handler panicked: {}", panic_message(&*panic));
                HandlerResult::Finished(Err(Fault::transient(text)))
            }
            None => HandlerResult::Cancelled,
        }
    }
}

/// Marks the span of an attempt that is dropped when a stopping worker's grace period is over, so
/// that the trace explains the second attempt.
struct Unfinished<'a>(Option<&'a Span>);

impl Unfinished<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(span) = self.0 else { return };
        span.record("outcome", retry_history::Attempt::Uncounted.outcome());
        span.in_scope(|| {
            context::fail("cut short: the worker's grace was over before it was done")
        });
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no text".to_owned())
}
