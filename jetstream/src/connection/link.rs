//! One TCP connection, and what is known of its state.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, Event, RequestErrorKind, connection::State};
use bytes::Bytes;
use tokio::{sync::watch, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{lame_duck, news::Teller, purpose::Purpose};
use crate::backoff::Backoff;

/// Pauses between attempts to connect again.
///
/// async-nats' own schedule has no jitter and grows to 4 s: measured, it turned an outage of 5 s into one of 8.2 s.
const RECONNECTING: Backoff = Backoff {
    first: Duration::from_millis(20),
    longest: Duration::from_millis(500),
};

/// How often a wait for the connection looks for itself: the events that wake it are dropped when very many come at once.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How often another server is drawn when one is left: of three, the one that was left comes up ten times in a row once in 59,000 times.
const DRAWS: usize = 10;

/// How long one of those may take.
const DRAW: Duration = Duration::from_secs(2);

/// Whether a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkState {
    /// It stands now.
    pub connected: bool,
    /// How often it has been made: a change means that whatever was asked of the server before may never be answered.
    pub connects: u64,
    /// The server has said that it is about to close.
    pub lame_duck: bool,
}

/// A client, and the watch on its state.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) state: watch::Receiver<LinkState>,
    /// How often the link had been made when it was last left for another server.
    left: Arc<AtomicU64>,
    /// Ends with the last clone: it has a client of its own, which would keep the connection open.
    _leaving: Arc<AbortOnDropHandle<()>>,
}

impl Link {
    /// Adds the watch and the pace of reconnecting to `options`; what comes back turns the client made with them into a link.
    pub(super) fn prepare(
        options: async_nats::ConnectOptions,
        purpose: Purpose,
    ) -> (async_nats::ConnectOptions, impl FnOnce(Client) -> Self) {
        let (sender, state) = watch::channel(LinkState::default());
        let (sender, teller) = (Arc::new(sender), Arc::new(Mutex::new(Teller::new(purpose))));
        let options = options
            .reconnect_delay_callback(|attempts| reconnect_pause(attempts, rand::random()))
            .event_callback(move |event| {
                let (sender, teller) = (Arc::clone(&sender), Arc::clone(&teller));
                async move {
                    note(&sender, &event);
                    teller
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .tell(&event);
                }
            });
        (options, move |client| {
            let leaving = tokio::spawn(lame_duck::leave_each(client.clone(), state.clone()));
            Self {
                client,
                state,
                left: Arc::default(),
                _leaving: Arc::new(AbortOnDropHandle::new(leaving)),
            }
        })
    }

    /// Whether it stands, as far as is known.
    pub(crate) fn is_connected(&self) -> bool {
        self.state.borrow().connected || self.client.connection_state() == State::Connected
    }

    /// How often it has been made.
    pub(crate) fn connects(&self) -> u64 {
        self.state.borrow().connects
    }

    /// Waits until it stands.
    pub(crate) async fn connected(&self) {
        let mut state = self.state.clone();
        while !self.is_connected() {
            let _ = timeout(LOOK_AGAIN, state.changed()).await;
        }
    }

    /// Leaves a server that stands and does not answer, for another of its cluster: one that is cut off from the others keeps its clients and
    /// can do nothing for them. `connects` is as of the question, so that many who wait in vain leave once. Where there is but one server, it
    /// is asked again on a new connection, unless it answers on this one. A lame duck is not left here: `lame_duck` has its own way.
    pub(crate) async fn leave(&self, connects: u64) {
        let is_news = self.left.fetch_max(connects, Ordering::Relaxed) < connects;
        let lame = self.state.borrow().lame_duck;
        if !is_news || lame || !self.is_connected() || self.connects() != connects {
            return;
        }
        let others = self.client.server_pool().await.unwrap_or_default().len() > 1;
        if !others && self.is_answered().await {
            return;
        }
        let left = self.client.server_info().server_id;
        // async-nats picks among all that it knows, the one that is left too.
        for _ in 0..DRAWS {
            let connects = self.connects();
            let again = async {
                // Both fail only when the client is closed.
                let _ = self.client.force_reconnect().await;
                self.remade(connects).await;
                // Only when this is through is it known who the new server is.
                let _ = self.client.flush().await;
            };
            let _ = timeout(DRAW, again).await;
            let pool = self.client.server_pool().await.unwrap_or_default();
            if pool.len() < 2 || self.client.server_info().server_id != left {
                return;
            }
        }
    }

    /// Whether the server answers at all. Any answer will do, also that nobody listens.
    async fn is_answered(&self) -> bool {
        let question = self.client.request("$JS.API.INFO", Bytes::new());
        match timeout(DRAW, question).await {
            Ok(Err(error)) => error.kind() == RequestErrorKind::NoResponders,
            answer => answer.is_ok(),
        }
    }

    /// Waits until it has been made again since it had been made `connects` times.
    pub(crate) async fn remade(&self, connects: u64) {
        let mut state = self.state.clone();
        if state
            .wait_for(|state| state.connects > connects)
            .await
            .is_err()
        {
            // The client is closed for good; nothing will be made again.
            std::future::pending::<()>().await;
        }
    }
}

fn note(sender: &watch::Sender<LinkState>, event: &Event) {
    match event {
        Event::Connected => sender.send_modify(|state| {
            state.connected = true;
            state.connects += 1;
            state.lame_duck = false;
        }),
        Event::Disconnected | Event::Closed => sender.send_modify(|state| state.connected = false),
        Event::LameDuckMode => sender.send_modify(|state| state.lame_duck = true),
        _ => {}
    }
}

/// The first attempt is made at once; `attempt` counts from 1.
fn reconnect_pause(attempt: usize, random: f64) -> Duration {
    match u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX) {
        0 => Duration::ZERO,
        failure => RECONNECTING.pause(failure, random),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_sought_again_at_once_and_then_within_half_a_second() {
        assert_eq!(reconnect_pause(1, 0.9), Duration::ZERO);
        assert!(reconnect_pause(2, 1.0) <= Duration::from_millis(20));
        assert!(reconnect_pause(usize::MAX, 1.0) <= Duration::from_millis(500));
    }
}
