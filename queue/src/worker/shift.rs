//! The worker's loop: the one owner of all that changes, and the one that logs.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use super::{
    Drained, Handler, Worker,
    bind::{self, Binding},
    breaker::Breaker,
    held::{Held, Parcel, Place},
    history::History,
    job::{Bench, Job, Settled},
    settle,
};
use crate::pull::{Pulled, Puller};

/// How long one probe may take.
const PROBE: Duration = Duration::from_secs(2);

/// How long a worker that has stopped waits for a server that does not answer.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A worker at work.
pub(super) struct Shift<H> {
    bench: Arc<Bench>,
    handler: Arc<H>,
    binding: Binding,
    state: tokio::sync::watch::Sender<super::WorkerState>,
    puller: Puller,
    held: Held,
    history: History,
    jobs: JoinSet<(Place, Settled)>,
    breaker: Breaker,
    probes: JoinSet<bool>,
    /// At most one: looks for a durable that may have gone.
    seeks: JoinSet<Binding>,
    signs_of_life: Interval,
    drained: Drained,
}

impl<H: Handler> Shift<H> {
    pub(super) fn new(worker: Worker, handler: Arc<H>) -> Self {
        let breaker = Breaker::new(worker.config.limits.probe_every);
        Self {
            bench: Arc::new(Bench::new(worker.connection, worker.config)),
            handler,
            signs_of_life: signs_of_life(worker.binding.lease),
            binding: worker.binding,
            state: worker.state,
            puller: worker.puller,
            held: Held::default(),
            history: History::default(),
            jobs: JoinSet::new(),
            breaker,
            probes: JoinSet::new(),
            seeks: JoinSet::new(),
            drained: Drained::default(),
        }
    }

    pub(super) async fn run(mut self, stop: &CancellationToken) -> Drained {
        while !stop.is_cancelled() {
            self.puller.want(self.free_hands()).await;
            self.step(stop).await;
            self.catch_up().await;
        }
        self.drain().await
    }

    /// What may be asked for: nothing while the destination is away, or while it is not known whose sequences these are.
    fn free_hands(&self) -> usize {
        if self.breaker.is_open() || !self.seeks.is_empty() {
            return 0;
        }
        self.concurrency().saturating_sub(self.held.len())
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
            Some(done) = self.jobs.join_next() => self.done(done).await,
            _ = self.signs_of_life.tick() => self.show_life().await,
            Some(binding) = self.seeks.join_next() => self.bound(binding),
            Some(back) = self.probes.join_next() => self.probed(back.unwrap_or(false)),
            () = sleep_until(probe_at.unwrap_or_else(Instant::now)), if probe_at.is_some() => self.probe(),
        }
    }

    /// Deals with what else has happened meanwhile, before asking for more: under load that is most of it, and one request then asks for many.
    async fn catch_up(&mut self) {
        for _ in 0..self.concurrency() {
            let done = self.jobs.try_join_next();
            let pulled = self.puller.ready();
            if done.is_none() && pulled.is_none() {
                return;
            }
            if let Some(done) = done {
                self.done(done).await;
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
                // Possible only when requests were forgotten and served all the same.
                if self.held.len() >= 2 * self.concurrency() {
                    self.hand_back(&parcel, Duration::ZERO).await;
                    return;
                }
                self.held.take_in(parcel);
                self.start_waiting();
            }
            Pulled::Expired => {}
            Pulled::Broken(reason) => {
                debug!(reason, "looking for the durable again");
                if self.seeks.is_empty() {
                    let (connection, stage) = (&self.bench.connection, self.bench.config.stage);
                    self.seeks.spawn(bind::seek(connection.clone(), stage));
                    self.state.send_modify(|state| state.bound = false);
                }
            }
        }
    }

    fn bound(&mut self, binding: Result<Binding, JoinError>) {
        let Ok(binding) = binding else {
            return;
        };
        if binding.lease != self.binding.lease {
            self.signs_of_life = signs_of_life(binding.lease);
        }
        self.binding = binding;
        self.state.send_modify(|state| state.bound = true);
    }

    /// Puts every free hand to work on what waits.
    fn start_waiting(&mut self) {
        while !self.breaker.is_open() && self.jobs.len() < self.concurrency() {
            let Some(parcel) = self.held.next_waiting() else {
                return;
            };
            let place = parcel.place;
            let job = Job {
                bench: Arc::clone(&self.bench),
                handler: Arc::clone(&self.handler),
                delivery: parcel.delivery(&self.history),
                failures: self.history.get(place),
                parcel,
            };
            self.jobs.spawn(async move { (place, job.run().await) });
        }
    }

    async fn done(&mut self, done: Result<(Place, Settled), JoinError>) {
        // A job catches its handler's panics; what is lost here was aborted, and is handed back with all that is still held.
        if let Ok((place, settled)) = done {
            self.settled(place, settled).await;
        }
        self.start_waiting();
    }

    async fn settled(&mut self, place: Place, settled: Settled) {
        if let Settled::Hold { reason } = settled {
            self.hold(place, &reason);
            return;
        }
        let Some(parcel) = self.held.release(place) else {
            return;
        };
        report(&parcel, &settled);
        match settled {
            Settled::Acked { .. } => {
                self.history.forget(place);
                self.drained.handled += 1;
            }
            Settled::Buried { .. } => {
                self.history.forget(place);
                self.drained.buried += 1;
            }
            Settled::HandBack { pause, counts, .. } => {
                self.history.add(place, counts);
                self.drained.retried += 1;
                self.hand_back(&parcel, pause).await;
            }
            Settled::Hold { .. } => {}
        }
    }

    fn hold(&mut self, place: Place, reason: &str) {
        self.history.add(place, false);
        self.held.wait_again(place);
        if self.breaker.open(Instant::now()) {
            warn!(error = reason, "the destination is away: waiting for it");
            self.state.send_modify(|state| state.destination = false);
        }
    }

    fn probe(&mut self) {
        self.breaker.probe_begins(Instant::now());
        let handler = Arc::clone(&self.handler);
        self.probes
            .spawn(async move { timeout(PROBE, handler.probe()).await.unwrap_or(false) });
    }

    fn probed(&mut self, back: bool) {
        if self.breaker.probe_ended(back) {
            info!("the destination is back");
            self.state.send_modify(|state| state.destination = true);
            self.start_waiting();
        }
    }

    async fn hand_back(&self, parcel: &Parcel, pause: Duration) {
        settle::hand_back(self.bench.connection.consuming(), &parcel.reply, pause).await;
    }

    /// Tells the server that everything held is still being worked on, wherever it waits. Not while there is no connection: nobody would
    /// hear it, and it would be sent when it is stale.
    async fn show_life(&self) {
        let link = self.bench.connection.consuming();
        if !link.is_connected() {
            return;
        }
        for reply in self.held.replies() {
            settle::progress(link, reply).await;
        }
    }

    /// No more is taken; what is under way may finish within the grace; the rest goes back at once.
    async fn drain(mut self) -> Drained {
        let deadline = Instant::now() + self.bench.config.grace;
        self.seeks.abort_all();
        self.probes.abort_all();
        for parcel in self.held.release_waiting() {
            self.return_unhandled(&parcel).await;
        }
        for message in self.puller.close().await {
            if let Some(parcel) = Parcel::open(message, self.binding.created_us) {
                self.return_unhandled(&parcel).await;
            }
        }
        while !self.jobs.is_empty() {
            tokio::select! {
                Some(done) = self.jobs.join_next() => if let Ok((place, settled)) = done {
                    self.settled(place, settled).await;
                },
                _ = self.signs_of_life.tick() => self.show_life().await,
                () = sleep_until(deadline) => self.jobs.abort_all(),
            }
        }
        let _ = timeout(LAST_WORDS, self.last_words()).await;
        self.drained
    }

    /// Hands back what is left, and waits until the server has heard it. A server that is away hears nothing: it delivers again when the
    /// leases are over.
    async fn last_words(&mut self) {
        for parcel in self.held.release_all() {
            // Its handling did not end, and nobody died of it either.
            if parcel.facts.deliveries >= self.bench.config.limits.suspicion {
                self.bench.suspects.clear(parcel.place).await;
            }
            self.return_unhandled(&parcel).await;
        }
        let link = self.bench.connection.consuming();
        if link.is_connected() {
            let _ = link.client.flush().await;
        }
    }

    async fn return_unhandled(&mut self, parcel: &Parcel) {
        self.drained.handed_back += 1;
        self.hand_back(parcel, Duration::ZERO).await;
    }
}

/// Says what an operator should know of how a message ended. What went well is the stage's to tell.
fn report(parcel: &Parcel, settled: &Settled) {
    let (subject, sequence) = (parcel.message.subject.as_str(), parcel.place.sequence);
    match settled {
        Settled::Acked { confirmed: true } | Settled::Hold { .. } => {}
        Settled::Acked { confirmed: false } => warn!(
            subject,
            sequence, "done, but the server did not confirm it: the message will come again"
        ),
        Settled::Buried { kind, reason } => error!(
            subject,
            sequence,
            kind = kind.as_str_name(),
            error = reason,
            "given up: see `crispy dead`"
        ),
        Settled::HandBack {
            pause,
            counts,
            reason,
        } => warn!(
            subject,
            sequence,
            ?pause,
            counts,
            error = reason,
            "handed back"
        ),
    }
}

/// Three signs in each lease: one may be lost, and one late.
fn signs_of_life(lease: Duration) -> Interval {
    let every = (lease / 3).max(Duration::from_millis(10));
    let mut interval = interval_at(Instant::now() + every, every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
