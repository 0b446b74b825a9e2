//! Leaves a server in lame duck mode before it disconnects us.
//!
//! ```text
//!   server  leaders moved ─► JetStream off ─► listener closed ─► INFO lame duck ─ 10 s ─► clients
//!   client                                                        │                   disconnected
//!                                                                 └─► another server known?
//!                                                                     yes: flush, reconnect
//!                                                                     no: stay until disconnected
//! ```
//!
//! async-nats only reports the mode. A reconnect cannot reach the same server, whose listener is
//! closed: the attempt is refused, and the next server of the cluster is tried within milliseconds.
//! Pending requests notice the new connection and are sent again. Messages on their way to the old
//! connection are delivered again when their leases are over.

use std::time::Duration;

use async_nats::Client;
use tokio::{sync::watch, time::timeout};

use super::link_state::LinkState;

/// The time limit of flushing before the reconnect.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);

/// Leaves each server that enters lame duck mode, until the link is dropped.
pub(super) async fn watch_for_lame_ducks(client: Client, mut state: watch::Receiver<LinkState>) {
    while state.wait_for(|state| state.lame_duck).await.is_ok() {
        let connects = state.borrow().connects;
        if knows_others(&client).await {
            // Unsent acknowledgements would be lost with their socket.
            let _ = timeout(FLUSH_TIMEOUT, client.flush()).await;
            // The server may have disconnected us meanwhile. A reconnect fails only on a closed
            // client.
            if state.borrow().connects == connects {
                let _ = client.force_reconnect().await;
            }
        }
        if state.wait_for(|state| !state.lame_duck).await.is_err() {
            return;
        }
    }
}

/// Whether another server is known: configured, or reported by the cluster at the connect.
async fn knows_others(client: &Client) -> bool {
    let Ok(pool) = client.server_pool().await else {
        return false;
    };
    let address = |server: &async_nats::Server| (server.addr.host().to_owned(), server.addr.port());
    let mut addresses: Vec<_> = pool.iter().map(address).collect();
    addresses.sort();
    addresses.dedup();
    addresses.len() > 1
}
