//! The run loop of a worker: owns all mutable state.

mod drain;
mod lease;
mod settled;

use std::{sync::Arc, time::Duration};

use async_nats::{Message, Subscriber};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::{Instant, Interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{Span, debug, info};

use super::{
    Delivery, Processor, Summary, Worker,
    attempt::{self, Attempted},
    bind::{self, Binding},
    breaker::Breaker,
    delivery::MessageRef,
    in_flight::InFlight,
    metrics,
    retry_history::{Attempt, RetryHistory},
    settle::{self, Settled},
    shared::Shared,
};
use crate::{
    pull::{Pulled, Puller},
    readiness::WorkerState,
};
use lease::{extend_leases, lease_ticker};

/// The time limit of a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// A running worker.
pub(super) struct Run<P> {
    shared: Arc<Shared>,
    processor: Arc<P>,
    binding: Binding,
    state: watch::Sender<WorkerState>,
    puller: Puller,
    deletions: Subscriber,
    in_flight: InFlight,
    history: RetryHistory,
    attempts: JoinSet<Attempted>,
    settling: FuturesUnordered<BoxFuture<'static, (MessageRef, Span, Settled)>>,
    breaker: Breaker,
    /// Cancels all attempts when the breaker opens.
    outage: CancellationToken,
    probes: JoinSet<bool>,
    /// At most one search for a consumer that may be gone.
    searches: JoinSet<Binding>,
    lease_ticker: Interval,
    summary: Summary,
}

impl<P: Processor> Run<P> {
    pub(super) fn new(worker: Worker, processor: Arc<P>) -> Self {
        let breaker = Breaker::new(worker.config.limits.probe_interval);
        let shared = Shared::new(worker.connection, worker.config, &worker.binding);
        Self {
            shared: Arc::new(shared),
            processor,
            lease_ticker: lease_ticker(worker.binding.lease),
            binding: worker.binding,
            state: worker.state,
            puller: worker.puller,
            deletions: worker.deletions,
            in_flight: InFlight::default(),
            history: RetryHistory::default(),
            attempts: JoinSet::new(),
            settling: FuturesUnordered::new(),
            breaker,
            outage: CancellationToken::new(),
            probes: JoinSet::new(),
            searches: JoinSet::new(),
            summary: Summary::default(),
        }
    }

    pub(super) async fn run(mut self, stop: &CancellationToken) -> Summary {
        metrics::init_at_zero(self.consumer());
        metrics::breaker(self.consumer(), false);
        while !stop.is_cancelled() {
            metrics::in_flight(self.consumer(), self.in_flight.len());
            self.ensure_epoch_known();
            self.puller.request(self.available_permits()).await;
            self.step(stop).await;
            self.catch_up().await;
        }
        self.drain().await
    }

    /// Searches after a reconnect: nothing is pulled before the stream's epoch is known again.
    fn ensure_epoch_known(&mut self) {
        let link = self.shared.connection.consuming();
        if link.is_connected() && self.searches.is_empty() && !self.shared.epoch.is_known(link) {
            self.search("reconnected");
        }
    }

    /// The messages to request: none while the breaker is open or the epoch is unknown. Settling
    /// messages need no permit but are in flight: at most twice the permits.
    fn available_permits(&self) -> usize {
        if self.breaker.is_open() || !self.searches.is_empty() {
            return 0;
        }
        let permits = self.concurrency();
        let used = self.attempts.len() + self.in_flight.waiting();
        let limit = (2 * permits).saturating_sub(self.in_flight.len());
        permits.saturating_sub(used).min(limit)
    }

    fn consumer(&self) -> &str {
        &self.shared.config.consumer
    }

    fn concurrency(&self) -> usize {
        self.shared.config.concurrency.max(1)
    }

    /// Waits for one event and handles it.
    async fn step(&mut self, stop: &CancellationToken) {
        let probe_at = self.breaker.probe_at();
        tokio::select! {
            () = stop.cancelled() => {}
            pulled = self.puller.next() => self.pulled(pulled).await,
            Some(_) = self.deletions.next() => {
                // A running search may have seen the deleted stream.
                self.searches = JoinSet::new();
                self.search("stream deleted");
            }
            Some(attempted) = self.attempts.join_next() => self.attempted(attempted).await,
            Some(settled) = self.settling.next() => self.settled(settled).await,
            _ = self.lease_ticker.tick() => extend_leases(&self.shared, &self.in_flight).await,
            Some(binding) = self.searches.join_next() => self.bound(binding),
            Some(probed) = self.probes.join_next() => self.probed(probed.unwrap_or(false)),
            () = sleep_until(probe_at.unwrap_or_else(Instant::now)), if probe_at.is_some() => self.probe(),
        }
    }

    /// Handles further events that are ready, before the next request: under load that is most of
    /// the work, and one request then asks for many messages.
    async fn catch_up(&mut self) {
        for _ in 0..self.concurrency() {
            let attempted = self.attempts.try_join_next();
            let settled = self.settling.next().now_or_never().flatten();
            let pulled = self.puller.try_next();
            if attempted.is_none() && settled.is_none() && pulled.is_none() {
                return;
            }
            if let Some(attempted) = attempted {
                self.attempted(attempted).await;
            }
            if let Some(settled) = settled {
                self.settled(settled).await;
            }
            if let Some(pulled) = pulled {
                self.pulled(pulled).await;
            }
        }
    }

    async fn pulled(&mut self, pulled: Pulled) {
        match pulled {
            Pulled::Message(message) => self.delivered(message).await,
            Pulled::Expired => {}
            Pulled::Broken(reason) => self.search(reason),
        }
    }

    async fn delivered(&mut self, message: Message) {
        let Some(mut delivery) = Delivery::new(message, self.binding.created_us) else {
            return;
        };
        metrics::delivered(self.consumer(), &delivery);
        let reference = delivery.message_ref();
        // Possible only where requests were forgotten and served all the same.
        let is_full = self.in_flight.len() >= 2 * self.concurrency();
        if is_full && !self.in_flight.contains(reference) {
            metrics::returned(self.consumer(), Attempt::Uncounted);
            settle::nak(&self.shared, &delivery, Duration::ZERO).await;
            return;
        }
        if let Some(failures) = self.history.get(reference) {
            failures.record(&mut delivery);
        }
        self.in_flight.insert(delivery);
        self.start_attempts();
    }

    fn search(&mut self, reason: &str) {
        debug!(reason, "looking up consumer");
        self.shared.epoch.invalidate();
        if self.searches.is_empty() {
            let (connection, config) = (&self.shared.connection, &self.shared.config);
            let searching = bind::search_and_log(connection.clone(), config.clone());
            self.searches.spawn(searching);
            self.state.send_modify(|state| state.bound = false);
        }
    }

    fn bound(&mut self, binding: Result<Binding, JoinError>) {
        let Ok(binding) = binding else {
            return;
        };
        if binding.lease != self.binding.lease {
            self.lease_ticker = lease_ticker(binding.lease);
        }
        self.shared.epoch.confirm(&binding);
        self.in_flight.drop_stale(binding.created_us);
        self.binding = binding;
        self.state.send_modify(|state| state.bound = true);
    }

    /// Starts an attempt for each free permit and waiting message.
    fn start_attempts(&mut self) {
        while !self.breaker.is_open() && self.attempts.len() < self.concurrency() {
            let Some(delivery) = self.in_flight.next_waiting() else {
                return;
            };
            let attempt = attempt::Attempt {
                shared: Arc::clone(&self.shared),
                processor: Arc::clone(&self.processor),
                failures: self.history.get(delivery.message_ref()),
                delivery,
                outage: self.outage.clone(),
            };
            self.attempts.spawn(attempt.run());
        }
    }

    async fn attempted(&mut self, attempted: Result<Attempted, JoinError>) {
        // An attempt catches its handler's panics. One that was aborted is handed back with all
        // that is in flight.
        if let Ok(attempted) = attempted {
            self.carry_out(attempted).await;
        }
        self.start_attempts();
    }

    fn probe(&mut self) {
        self.breaker.start_probe(Instant::now());
        let processor = Arc::clone(&self.processor);
        self.probes.spawn(async move {
            let probed = timeout(PROBE_TIMEOUT, processor.probe()).await;
            probed.unwrap_or(false)
        });
    }

    fn probed(&mut self, available: bool) {
        if self.breaker.end_probe(available) {
            info!("dependency available again");
            metrics::breaker(self.consumer(), false);
            self.state.send_modify(|state| state.available = true);
            self.outage = CancellationToken::new();
            self.start_attempts();
        }
    }
}
