//! Leaving a server that is about to close, before it throws us out.
//!
//! ```text
//!   server   leaders moved ─► JetStream off ─► door shut ─► INFO: lame duck ─── grace, 10 s ───► clients thrown out, one by one
//!   we                                                           └─► another server known?   yes: flush, connect anew
//!                                                                                            no:  stay until it goes
//! ```
//!
//! async-nats does no more than to say that it happened. Its door being shut, the server cannot be met again by connecting anew: the attempt is
//! refused, and the next server of the cluster is tried within milliseconds. Whoever waits for an answer notices the new connection and asks
//! again; messages that were on their way to the old one come again when their lease is over.

use std::time::Duration;

use async_nats::Client;
use tokio::{sync::watch, time::timeout};

use super::LinkState;

/// How long leaving waits for what is unsent.
const FLUSHING: Duration = Duration::from_millis(500);

/// Leaves one lame duck after the other, as long as somebody tells of the state.
pub(super) async fn leave_each(client: Client, mut state: watch::Receiver<LinkState>) {
    while state.wait_for(|state| state.lame_duck).await.is_ok() {
        let connects = state.borrow().connects;
        if knows_others(&client).await {
            // Acknowledgements that are not sent yet would be lost with their socket.
            let _ = timeout(FLUSHING, client.flush()).await;
            // It may have thrown us out meanwhile; and leaving fails only when the client is closed.
            if state.borrow().connects == connects {
                let _ = client.force_reconnect().await;
            }
        }
        if state.wait_for(|state| !state.lame_duck).await.is_err() {
            return;
        }
    }
}

/// Whether there is another server to go to: one that was named, or that the cluster told of when the connection was made.
async fn knows_others(client: &Client) -> bool {
    let Ok(pool) = client.server_pool().await else {
        return false;
    };
    let place = |server: &async_nats::Server| (server.addr.host().to_owned(), server.addr.port());
    let mut places: Vec<_> = pool.iter().map(place).collect();
    places.sort();
    places.dedup();
    places.len() > 1
}
