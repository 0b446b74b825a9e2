//! What a worker lays out for all its jobs.

use std::time::Duration;

use tokio::time::timeout;

use super::{
    WorkerConfig,
    bind::{self, Binding},
    ground::Ground,
    place::Place,
    suspects::Suspects,
};
use crate::Connection;

/// How long a message that is done with waits to learn whether its stream still stands: as long as for a confirmation.
const FINDING: Duration = Duration::from_secs(5);

/// What every job of a worker shares.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) connection: Connection,
    pub(super) config: WorkerConfig,
    pub(super) suspects: Suspects,
    pub(super) ground: Ground,
}

impl Bench {
    pub(super) fn new(connection: Connection, config: WorkerConfig, binding: &Binding) -> Self {
        Self {
            ground: Ground::new(binding),
            suspects: Suspects::new(&connection, config.crash_marks.clone()),
            connection,
            config,
        }
    }

    /// Whether the stream that the message at `place` was taken from stands. Where that is in doubt, it looks.
    pub(super) async fn stands(&self, place: Place) -> bool {
        let (ground, link) = (&self.ground, self.connection.consuming());
        if !ground.is_known(link) {
            let doubts = ground.doubts();
            // In a box, for it is rare, and every message that is closed would carry its size.
            let seeking = Box::pin(async {
                // Questions that wait in the client would all be sent at once.
                link.connected().await;
                bind::seek(&self.connection, &self.config, |_| {}).await
            });
            match timeout(FINDING, seeking).await {
                Ok(binding) => ground.found_since(doubts, &binding),
                Err(_) => return false,
            }
        }
        ground.holds(place, link)
    }
}
