//! One TCP connection and its state.

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

use super::{
    connection_log::ConnectionLog,
    lame_duck,
    link_state::{LinkRole, LinkState},
};
use crate::backoff::Backoff;

/// Delays between reconnect attempts.
///
/// async-nats' own schedule has no jitter and grows to 4 s: measured, it turned an outage of 5 s
/// into one of 8.2 s.
const RECONNECT_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(20),
    longest: Duration::from_millis(500),
};

/// The polling interval of a wait for the connection: the client drops events when very many come
/// at once.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Attempts to get another server than the one that is left. With three servers all ten attempts
/// end at the same one once in 59,000 times.
const SWITCH_ATTEMPTS: usize = 10;

/// The time limit of each.
const SWITCH_TIMEOUT: Duration = Duration::from_secs(2);

/// A client and its state.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) client: Client,
    pub(crate) state: watch::Receiver<LinkState>,
    /// The number of connects at the last switch to another server.
    switched_at: Arc<AtomicU64>,
    /// Ends with the last clone: it holds a client, which would keep the connection open.
    _lame_duck_watch: Arc<AbortOnDropHandle<()>>,
}

impl Link {
    /// Adds the event log and the reconnect schedule to `options`. The function that comes with
    /// them turns the resulting client into a link.
    pub(super) fn prepare(
        options: async_nats::ConnectOptions,
        role: LinkRole,
    ) -> (async_nats::ConnectOptions, impl FnOnce(Client) -> Self) {
        let (sender, state) = watch::channel(LinkState::default());
        let log = Arc::new(Mutex::new(ConnectionLog::new(role)));
        let sender = Arc::new(sender);
        let options = options
            .reconnect_delay_callback(|attempt| reconnect_delay(attempt, rand::random()))
            .event_callback(move |event| {
                let (sender, log) = (Arc::clone(&sender), Arc::clone(&log));
                async move {
                    update(&sender, &event);
                    log.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .log(&event);
                }
            });
        (options, move |client| {
            let watch = lame_duck::watch_for_lame_ducks(client.clone(), state.clone());
            Self {
                client,
                state,
                switched_at: Arc::default(),
                _lame_duck_watch: Arc::new(AbortOnDropHandle::new(tokio::spawn(watch))),
            }
        })
    }

    /// Whether it is connected, as far as is known.
    pub(crate) fn is_connected(&self) -> bool {
        self.state.borrow().connected || self.client.connection_state() == State::Connected
    }

    /// The number of connects so far.
    pub(crate) fn connects(&self) -> u64 {
        self.state.borrow().connects
    }

    /// Waits until it is connected.
    pub(crate) async fn connected(&self) {
        let mut state = self.state.clone();
        while !self.is_connected() {
            let _ = timeout(POLL_INTERVAL, state.changed()).await;
        }
    }

    /// Leaves a connected server that does not answer for another of its cluster: a node that is
    /// cut off from the others keeps its clients and cannot serve them.
    ///
    /// `connects` is as of the unanswered request, so that many waiting tasks switch once. A lone
    /// server is reconnected to, unless it answers. `lame_duck` handles servers in that mode.
    pub(crate) async fn switch_server(&self, connects: u64) {
        let is_first = self.switched_at.fetch_max(connects, Ordering::Relaxed) < connects;
        let lame_duck = self.state.borrow().lame_duck;
        if !is_first || lame_duck || !self.is_connected() || self.connects() != connects {
            return;
        }
        let others = self.client.server_pool().await.unwrap_or_default().len() > 1;
        if !others && self.is_answered().await {
            return;
        }
        let previous = self.client.server_info().server_id;
        // async-nats chooses among all known servers, the previous one included.
        for _ in 0..SWITCH_ATTEMPTS {
            let connects = self.connects();
            let reconnect = async {
                // Both fail only on a closed client.
                let _ = self.client.force_reconnect().await;
                self.reconnected(connects).await;
                // The new server is known only after a flush.
                let _ = self.client.flush().await;
            };
            let _ = timeout(SWITCH_TIMEOUT, reconnect).await;
            let pool = self.client.server_pool().await.unwrap_or_default();
            if pool.len() < 2 || self.client.server_info().server_id != previous {
                return;
            }
        }
    }

    /// Whether the server answers at all, if only that there are no responders.
    async fn is_answered(&self) -> bool {
        let request = self.client.request("$JS.API.INFO", Bytes::new());
        match timeout(SWITCH_TIMEOUT, request).await {
            Ok(Err(error)) => error.kind() == RequestErrorKind::NoResponders,
            answer => answer.is_ok(),
        }
    }

    /// Waits for a connect after the one numbered `connects`.
    pub(crate) async fn reconnected(&self, connects: u64) {
        let mut state = self.state.clone();
        if state
            .wait_for(|state| state.connects > connects)
            .await
            .is_err()
        {
            // A closed client never reconnects.
            std::future::pending::<()>().await;
        }
    }
}

fn update(sender: &watch::Sender<LinkState>, event: &Event) {
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

/// The delay before reconnect attempt number `attempt` (from 1). The first is made at once.
fn reconnect_delay(attempt: usize, random: f64) -> Duration {
    match u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX) {
        0 => Duration::ZERO,
        failure => RECONNECT_BACKOFF.delay(failure, random),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnects_start_at_once_and_stay_within_half_a_second() {
        assert_eq!(reconnect_delay(1, 0.9), Duration::ZERO);
        assert!(reconnect_delay(2, 1.0) <= Duration::from_millis(20));
        assert!(reconnect_delay(usize::MAX, 1.0) <= Duration::from_millis(500));
    }
}
