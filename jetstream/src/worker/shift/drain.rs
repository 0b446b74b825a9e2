//! The end of a shift.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    super::{Drained, Processor, held::Parcel, history::Attempt, metrics},
    Shift, hand_back, show_life,
};

/// How long a worker that has stopped waits for a server that does not answer.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl<P: Processor> Shift<P> {
    /// No more is taken; what is under way may finish within the grace; the rest goes back at once.
    pub(super) async fn drain(mut self) -> Drained {
        let deadline = Instant::now() + self.bench.config.grace;
        self.seeks.abort_all();
        self.probes.abort_all();
        for parcel in self.held.release_waiting() {
            self.return_unhandled(&parcel).await;
        }
        for message in self.puller.close().await {
            // One that a hand is on, delivered again, is not for anybody else yet.
            if let Some(parcel) = Parcel::open(message, self.binding.created_us)
                && !self.held.has(parcel.place)
            {
                self.return_unhandled(&parcel).await;
            }
        }
        while !(self.hands.is_empty() && self.closing.is_empty()) {
            tokio::select! {
                Some(_) = self.deletions.next() => self.bench.ground.doubt(),
                Some(done) = self.hands.join_next() => if let Ok(handled) = done {
                    self.decided(handled).await;
                },
                Some(closed) = self.closing.next() => self.closed(closed).await,
                _ = self.signs_of_life.tick() => show_life(&self.bench, &self.held).await,
                () = sleep_until(deadline) => {
                    self.hands.abort_all();
                    self.closing.clear();
                }
            }
        }
        let _ = timeout(LAST_WORDS, self.last_words()).await;
        self.drained
    }

    /// Hands back what is left, and waits until that is on its way. A server that is away hears nothing: it delivers again when the
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
        metrics::gave_back(&self.bench.config.consumer, Attempt::Waited);
        hand_back(&self.bench, parcel, Duration::ZERO).await;
    }
}
