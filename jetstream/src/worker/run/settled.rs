//! Carries out decisions: settlements run, their results are logged in the attempt's span and
//! counted.

use std::{future::Future, sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::time::Instant;
use tracing::{Instrument, Span, warn};

use super::{
    super::{
        Delivery, Processor,
        attempt::Attempted,
        decision::{Decision, Reason},
        delivery::MessageRef,
        metrics, report,
        retry_history::Attempt,
        settle::{self, Settled},
    },
    Run,
};

impl<P: Processor> Run<P> {
    pub(super) async fn carry_out(&mut self, attempted: Attempted) {
        let Attempted {
            message,
            span,
            decision,
        } = attempted;
        let Some(delivery) = self.in_flight.get(message) else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        match decision {
            Decision::Ack => self.settle(span, settle::ack(shared, delivery)),
            Decision::DeadLetter { kind, reason } => {
                let failures = self.history.get(message);
                let processor = Arc::clone(&self.processor);
                let settling =
                    settle::dead_letter(shared, processor, delivery, failures, kind, reason);
                self.settle(span, settling);
            }
            Decision::AwaitDependency { reason } => {
                span.in_scope(|| self.await_dependency(message, reason));
            }
            Decision::Nak {
                delay,
                attempt,
                reason,
            } => {
                let chunk = self.processor.label(&delivery.headers);
                span.in_scope(|| report::returned(&delivery, chunk, delay, attempt, &reason));
                self.hand_back(&delivery, delay, attempt).await;
            }
        }
    }

    fn settle(
        &mut self,
        span: Span,
        settling: impl Future<Output = (MessageRef, Settled)> + Send + 'static,
    ) {
        let settling = settling.map(|(message, settled)| (message, Span::current(), settled));
        self.settling.push(Box::pin(settling.instrument(span)));
    }

    pub(super) async fn settled(&mut self, (message, span, settled): (MessageRef, Span, Settled)) {
        let Some(delivery) = self.in_flight.get(message) else {
            return;
        };
        let chunk = self.processor.label(&delivery.headers);
        span.in_scope(|| report::settled(&delivery, chunk, &settled));
        match settled {
            Settled::Acked { .. } => {
                metrics::acked(self.consumer());
                self.summary.handled += 1;
            }
            Settled::DeadLettered { .. } => {
                metrics::dead_lettered(self.consumer());
                self.summary.dead_lettered += 1;
            }
            Settled::Returned { delay, attempt, .. } => {
                return self.hand_back(&delivery, delay, attempt).await;
            }
        }
        self.in_flight.remove(message);
        self.history.forget(message);
    }

    /// Hands a message back for a retry by any worker.
    async fn hand_back(&mut self, delivery: &Delivery, delay: Duration, attempt: Attempt) {
        let message = delivery.message_ref();
        self.in_flight.remove(message);
        self.history.add(message, attempt);
        self.summary.retried += 1;
        metrics::returned(self.consumer(), attempt);
        settle::nak(&self.shared, delivery, delay).await;
    }

    /// Keeps a message until the shared dependency is available. The first failure opens the
    /// breaker and cancels all attempts: they cannot succeed either, and may hang. A cancelled
    /// attempt has no reason, and may end after the breaker has closed again.
    fn await_dependency(&mut self, message: MessageRef, reason: Option<Reason>) {
        self.history.add(message, Attempt::Uncounted);
        let failures = self.history.get(message).unwrap_or_default();
        self.in_flight
            .requeue(message, |delivery| failures.record(delivery));
        if let Some(reason) = reason
            && self.breaker.open(Instant::now())
        {
            warn!(
                error = reason.error,
                hint = reason.hint.as_deref(),
                "dependency unavailable, pausing consumption"
            );
            metrics::breaker(self.consumer(), true);
            self.state.send_modify(|state| state.available = false);
            self.outage.cancel();
        }
    }
}
