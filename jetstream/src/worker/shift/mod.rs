//! The worker's loop: the one owner of all that changes, and the one that logs.

mod drain;
mod ending;

use std::{sync::Arc, time::Duration};

use async_nats::Subscriber;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{Span, debug, info};

use super::{
    Drained, Processor, Worker,
    bench::Bench,
    bind::{self, Binding},
    breaker::Breaker,
    closing::Closed,
    held::{Held, Parcel},
    history::{Attempt, History},
    job::{Handled, Job},
    metrics,
    place::Place,
    settle,
};
use crate::pull::{Pulled, Puller};

/// How long one probe may take.
const PROBE: Duration = Duration::from_secs(2);

/// A worker at work.
pub(super) struct Shift<P> {
    bench: Arc<Bench>,
    processor: Arc<P>,
    binding: Binding,
    state: tokio::sync::watch::Sender<super::WorkerState>,
    puller: Puller,
    deletions: Subscriber,
    held: Held,
    history: History,
    /// One for each message that is being handled.
    hands: JoinSet<Handled>,
    /// Messages whose handling has ended, until the server knows.
    closing: FuturesUnordered<BoxFuture<'static, (Place, Span, Closed)>>,
    breaker: Breaker,
    /// Ends what is being handled when the breaker opens.
    outage: CancellationToken,
    probes: JoinSet<bool>,
    /// At most one: looks for a durable that may have gone.
    seeks: JoinSet<Binding>,
    signs_of_life: Interval,
    drained: Drained,
}

impl<P: Processor> Shift<P> {
    pub(super) fn new(worker: Worker, processor: Arc<P>) -> Self {
        let breaker = Breaker::new(worker.config.limits.probe_every);
        Self {
            bench: Arc::new(Bench::new(
                worker.connection,
                worker.config,
                &worker.binding,
            )),
            processor,
            signs_of_life: signs_of_life(worker.binding.lease),
            binding: worker.binding,
            state: worker.state,
            puller: worker.puller,
            deletions: worker.deletions,
            held: Held::default(),
            history: History::default(),
            hands: JoinSet::new(),
            closing: FuturesUnordered::new(),
            breaker,
            outage: CancellationToken::new(),
            probes: JoinSet::new(),
            seeks: JoinSet::new(),
            drained: Drained::default(),
        }
    }

    pub(super) async fn run(mut self, stop: &CancellationToken) -> Drained {
        metrics::begins(&self.bench.config.consumer);
        metrics::paused(&self.bench.config.consumer, false);
        while !stop.is_cancelled() {
            metrics::holds(&self.bench.config.consumer, self.held.len());
            self.know_the_ground();
            self.puller.want(self.free_hands()).await;
            self.step(stop).await;
            self.catch_up().await;
        }
        self.drain().await
    }

    /// Nothing is taken before it is known from which stream, nor after a new connection before it is known again.
    fn know_the_ground(&mut self) {
        let link = self.bench.connection.consuming();
        if link.is_connected() && self.seeks.is_empty() && !self.bench.ground.is_known(link) {
            self.seek("the connection was made anew");
        }
    }

    /// What may be asked for: nothing while the destination is away, or while it is not known whose sequences these are. What is being closed
    /// needs no hand, but is held: no more than twice the hands.
    fn free_hands(&self) -> usize {
        if self.breaker.is_open() || !self.seeks.is_empty() {
            return 0;
        }
        let hands = self.concurrency();
        let free = hands.saturating_sub(self.hands.len() + self.held.waiting());
        free.min((2 * hands).saturating_sub(self.held.len()))
    }

    fn concurrency(&self) -> usize {
        self.bench.config.concurrency.max(1)
    }

    /// Waits for one thing to happen, and does what follows from it.
    async fn step(&mut self, stop: &CancellationToken) {
        let probe_at = self.breaker.probe_at();
        tokio::select! {
            () = stop.cancelled() => {}
            pulled = self.puller.next() => self.pulled(pulled).await,
            Some(_) = self.deletions.next() => {
                // One that is under way may have seen what is no more.
                self.seeks = JoinSet::new();
                self.seek("the stream was deleted");
            }
            Some(done) = self.hands.join_next() => self.done(done).await,
            Some(closed) = self.closing.next() => self.closed(closed).await,
            _ = self.signs_of_life.tick() => show_life(&self.bench, &self.held).await,
            Some(binding) = self.seeks.join_next() => self.bound(binding),
            Some(back) = self.probes.join_next() => self.probed(back.unwrap_or(false)),
            () = sleep_until(probe_at.unwrap_or_else(Instant::now)), if probe_at.is_some() => self.probe(),
        }
    }

    /// Deals with what else has happened meanwhile, before asking for more: under load that is most of it, and one request then asks for many.
    async fn catch_up(&mut self) {
        for _ in 0..self.concurrency() {
            let done = self.hands.try_join_next();
            let closed = self.closing.next().now_or_never().flatten();
            let pulled = self.puller.ready();
            if done.is_none() && closed.is_none() && pulled.is_none() {
                return;
            }
            if let Some(done) = done {
                self.done(done).await;
            }
            if let Some(closed) = closed {
                self.closed(closed).await;
            }
            if let Some(pulled) = pulled {
                self.pulled(pulled).await;
            }
        }
    }

    async fn pulled(&mut self, pulled: Pulled) {
        match pulled {
            Pulled::Message(message) => {
                let Some(parcel) = Parcel::open(message, self.binding.created_us) else {
                    return;
                };
                metrics::delivered(&self.bench.config.consumer, &parcel);
                // Possible only when requests were forgotten and served all the same.
                if self.held.len() >= 2 * self.concurrency() && !self.held.has(parcel.place) {
                    metrics::gave_back(&self.bench.config.consumer, Attempt::Waited);
                    hand_back(&self.bench, &parcel, Duration::ZERO).await;
                    return;
                }
                self.held.take_in(parcel);
                self.start_waiting();
            }
            Pulled::Expired => {}
            Pulled::Broken(reason) => self.seek(reason),
        }
    }

    fn seek(&mut self, reason: &str) {
        debug!(reason, "looking for the durable again");
        self.bench.ground.doubt();
        if self.seeks.is_empty() {
            let (connection, config) = (self.bench.connection.clone(), self.bench.config.clone());
            self.seeks.spawn(bind::seek_aloud(connection, config));
            self.state.send_modify(|state| state.bound = false);
        }
    }

    fn bound(&mut self, binding: Result<Binding, JoinError>) {
        let Ok(binding) = binding else {
            return;
        };
        if binding.lease != self.binding.lease {
            self.signs_of_life = signs_of_life(binding.lease);
        }
        self.bench.ground.found(&binding);
        self.held.forget_others(binding.created_us);
        self.binding = binding;
        self.state.send_modify(|state| state.bound = true);
    }

    /// Puts every free hand to work on what waits.
    fn start_waiting(&mut self) {
        while !self.breaker.is_open() && self.hands.len() < self.concurrency() {
            let Some(parcel) = self.held.next_waiting() else {
                return;
            };
            let job = Job {
                bench: Arc::clone(&self.bench),
                processor: Arc::clone(&self.processor),
                failures: self.history.get(parcel.place),
                parcel,
                outage: self.outage.clone(),
            };
            self.hands.spawn(job.run());
        }
    }

    async fn done(&mut self, done: Result<Handled, JoinError>) {
        // A job catches its handler's panics; what is lost here was aborted, and is handed back with all that is still held.
        if let Ok(handled) = done {
            self.decided(handled).await;
        }
        self.start_waiting();
    }

    fn probe(&mut self) {
        self.breaker.probe_begins(Instant::now());
        let processor = Arc::clone(&self.processor);
        self.probes
            .spawn(async move { timeout(PROBE, processor.probe()).await.unwrap_or(false) });
    }

    fn probed(&mut self, back: bool) {
        if self.breaker.probe_ended(back) {
            info!("the destination is back");
            metrics::paused(&self.bench.config.consumer, false);
            self.state.send_modify(|state| state.destination = true);
            self.outage = CancellationToken::new();
            self.start_waiting();
        }
    }
}

async fn hand_back(bench: &Bench, parcel: &Parcel, pause: Duration) {
    let link = bench.connection.consuming();
    if bench.ground.holds(parcel.place, link) {
        settle::hand_back(link, &parcel.reply, pause).await;
    }
}

/// Tells the server that everything held is still being worked on, wherever it waits. Not while there is no connection: nobody would hear it,
/// and it would be sent when it is stale.
async fn show_life(bench: &Bench, held: &Held) {
    let link = bench.connection.consuming();
    if !link.is_connected() {
        return;
    }
    for parcel in held.parcels() {
        if bench.ground.holds(parcel.place, link) {
            settle::progress(link, &parcel.reply).await;
        }
    }
}

/// Three signs in each lease: one may be lost, and one late.
fn signs_of_life(lease: Duration) -> Interval {
    let every = (lease / 3).max(Duration::from_millis(10));
    let mut interval = interval_at(Instant::now() + every, every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
