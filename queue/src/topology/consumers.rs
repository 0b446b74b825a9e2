//! The durable that all workers of a stage share.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, Config};

use crate::Stage;

/// The settings of the durable of `stage`.
pub(crate) fn stage_consumer(stage: Stage) -> Config {
    Config {
        durable_name: Some(stage.as_str().to_owned()),
        name: Some(stage.as_str().to_owned()),
        description: Some(format!("work of every {stage}")),
        ack_policy: AckPolicy::Explicit,
        // How long the work of a worker that died waits for another. Living ones extend it.
        ack_wait: match stage {
            Stage::Uploader => Duration::from_secs(30),
            Stage::Inspector => Duration::from_secs(60),
        },
        // Giving up is the workers' own business: a message over the server's limit stays in a work queue, seen by nobody.
        max_deliver: -1,
        // Messages handed back with a pause keep their slot. Measured: 4096 slots full of one dead host's work stopped everybody.
        max_ack_pending: 100_000,
        // Open pulls, of all workers together; a worker has as many as it has free hands, at most.
        max_waiting: 2048,
        ..Config::default()
    }
}
