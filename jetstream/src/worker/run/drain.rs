//! Drains a stopping worker.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    super::{Delivery, Processor, Summary, metrics, retry_history::Attempt, settle},
    Run,
    lease::extend_leases,
};

/// The time limit of handing back what is left, for servers that do not answer.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

impl<P: Processor> Run<P> {
    /// Pulls no more, lets attempts finish within the grace period, and hands back the rest.
    pub(super) async fn drain(mut self) -> Summary {
        let deadline = Instant::now() + self.shared.config.grace;
        self.searches.abort_all();
        self.probes.abort_all();
        for delivery in self.in_flight.take_waiting() {
            self.return_unhandled(&delivery).await;
        }
        for message in self.puller.close().await {
            // A running message that was delivered again stays with its attempt.
            if let Some(delivery) = Delivery::new(message, self.binding.created_us)
                && !self.in_flight.contains(delivery.message_ref())
            {
                self.return_unhandled(&delivery).await;
            }
        }
        while !(self.attempts.is_empty() && self.settling.is_empty()) {
            tokio::select! {
                Some(_) = self.deletions.next() => self.shared.epoch.invalidate(),
                Some(attempted) = self.attempts.join_next() => if let Ok(attempted) = attempted {
                    self.carry_out(attempted).await;
                },
                Some(settled) = self.settling.next() => self.settled(settled).await,
                _ = self.lease_ticker.tick() => extend_leases(&self.shared, &self.in_flight).await,
                () = sleep_until(deadline) => {
                    self.attempts.abort_all();
                    self.settling.clear();
                }
            }
        }
        let _ = timeout(FLUSH_TIMEOUT, self.return_all()).await;
        self.summary
    }

    /// Hands back all messages in flight and flushes. Without a connection nothing is sent: the
    /// server delivers them again when their leases are over.
    async fn return_all(&mut self) {
        for delivery in self.in_flight.take_all() {
            // Its attempt did not end, and was no crash either.
            if delivery.deliveries >= self.shared.config.limits.suspicious_deliveries {
                self.shared.crash_guard.clear(delivery.message_ref()).await;
            }
            self.return_unhandled(&delivery).await;
        }
        let link = self.shared.connection.consuming();
        if link.is_connected() {
            let _ = link.client.flush().await;
        }
    }

    async fn return_unhandled(&mut self, delivery: &Delivery) {
        self.summary.handed_back += 1;
        metrics::returned(self.consumer(), Attempt::Uncounted);
        settle::nak(&self.shared, delivery, Duration::ZERO).await;
    }
}
