//! Connections, against real nats-servers.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod certificates;
mod connecting;
mod credentials;

use std::time::Duration;

use crispy_jetstream::ConnectOptions;
use crispy_testbed::NatsServer;
use tokio::time::{Instant, sleep};

/// Longer than any step takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

fn options(server: &NatsServer) -> ConnectOptions {
    ConnectOptions {
        servers: server.url(),
        ..ConnectOptions::default()
    }
}

/// Waits until a condition holds.
async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition().await {
        assert!(Instant::now() < deadline, "the condition never holds");
        sleep(Duration::from_millis(5)).await;
    }
}
