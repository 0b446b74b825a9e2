//! State shared by a worker's run loop, attempts and settlements.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    WorkerConfig,
    bind::{self, Binding},
    crash_guard::CrashGuard,
    delivery::MessageRef,
    stream_epoch::StreamEpoch,
};
use crate::Connection;

/// The longest wait of a settlement for the stream's epoch: as long as for a confirmation.
const EPOCH_TIMEOUT: Duration = Duration::from_secs(5);

/// State shared by a worker's tasks.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) connection: Connection,
    pub(super) config: WorkerConfig,
    pub(super) crash_guard: CrashGuard,
    pub(super) epoch: StreamEpoch,
}

impl Shared {
    pub(super) fn new(connection: Connection, config: WorkerConfig, binding: &Binding) -> Self {
        Self {
            epoch: StreamEpoch::new(binding),
            crash_guard: CrashGuard::new(&connection, config.crash_marks.clone()),
            connection,
            config,
        }
    }

    /// Whether the stream of `message` still exists. Asks the server where the epoch is unknown.
    pub(super) async fn is_current(&self, message: MessageRef) -> bool {
        let (epoch, link) = (&self.epoch, self.connection.consuming());
        if !epoch.is_known(link) {
            let invalidations = epoch.invalidations();
            // Boxed because it is rare, and every settlement would carry its size.
            let searching = Box::pin(async {
                // Requests that queue up in the client would all be sent at once.
                link.connected().await;
                bind::search(&self.connection, &self.config, |_| {}).await
            });
            match timeout(EPOCH_TIMEOUT, searching).await {
                Ok(binding) => epoch.confirm_since(invalidations, &binding),
                Err(_) => return false,
            }
        }
        epoch.is_current(message, link)
    }
}
