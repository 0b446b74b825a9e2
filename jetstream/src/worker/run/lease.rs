//! Extends the leases of messages in flight.

use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::super::{in_flight::InFlight, settle, shared::Shared};

/// Extends the lease of every message in flight, running or waiting. Does nothing without a
/// connection: the extensions would be sent late.
pub(super) async fn extend_leases(shared: &Shared, in_flight: &InFlight) {
    if shared.connection.consuming().is_connected() {
        for delivery in in_flight.deliveries() {
            settle::extend_lease(shared, delivery).await;
        }
    }
}

/// Ticks three times in each lease: one extension may be lost, and one late.
pub(super) fn lease_ticker(lease: Duration) -> Interval {
    let period = (lease / 3).max(Duration::from_millis(10));
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
