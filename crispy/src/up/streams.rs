//! The streams of a session: created, repaired and drained, their dead letters replayed.

use std::time::{Duration, Instant};

use anyhow::Context;
use crispy_proto::id::Name;
use crispy_queue::{Connection, DeadLetterFilter, DeadLetters, Stream, topology};
use crispy_runtime::Failed;
use tokio::time::sleep;
use tracing::{info, warn};

/// Pause between two attempts at a repair.
const REPAIR_INTERVAL: Duration = Duration::from_millis(250);

/// Attempts at a repair after the server was restarted: half a minute of them.
const REPAIR_ATTEMPTS: u32 = 120;

/// Time that the last run states may take to reach the bucket.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Creates the streams and consumers that are missing.
pub(super) async fn set_up(connection: &Connection) -> Result<(), Failed> {
    let plan = topology::plan(connection, None, false).await;
    let plan = plan.context("inspect the streams")?;
    plan.apply().await.context("set up the streams")?;
    Ok(())
}

/// Replays every dead letter of `site`. If it is interrupted, the next replay continues.
pub(super) async fn replay(connection: &Connection, site: &Name) -> Result<(), Failed> {
    let letters = DeadLetters::new(connection);
    let filter = DeadLetterFilter {
        site: Some(site.clone()),
        ..DeadLetterFilter::default()
    };
    let mut found = Vec::new();
    letters
        .each(&filter, |letter| found.push(letter))
        .await
        .context("list dead letters")?;
    let by = crispy_runtime::producer(env!("CARGO_PKG_VERSION"));
    for letter in &found {
        let replayed = letters.replay(letter, &by).await;
        replayed.context("replay a dead letter")?;
    }
    info!(messages = found.len(), "replayed dead letters");
    Ok(())
}

/// Recreates missing streams once the server answers. A server that died may have lost its streams
/// or its whole store; what was in them is still in the spool.
pub(super) async fn repair(connection: Connection) {
    for _ in 0..REPAIR_ATTEMPTS {
        sleep(REPAIR_INTERVAL).await;
        if set_up(&connection).await.is_ok() {
            return;
        }
    }
}

/// Recreates streams that were deleted while their server runs.
pub(super) async fn repair_deleted(connection: Connection) {
    let missing = topology::check(&connection, &Stream::ALL).await;
    if let Err(missing) = missing
        && missing.is_not_found()
    {
        warn!(
            error = %missing,
            hint = "find out who deleted them; the ingestor republishes from its spool",
            "streams are missing, recreating them"
        );
        repair(connection).await;
    }
}

/// Waits until the uploader has stored the last run states, which follow the chunks.
pub(super) async fn wait_until_empty(connection: &Connection) {
    let deadline = Instant::now() + DRAIN_TIMEOUT;
    while Instant::now() < deadline {
        match connection.messages(Stream::Chunks).await {
            Ok(0) | Err(_) => return,
            Ok(_) => sleep(Duration::from_millis(10)).await,
        }
    }
    warn!(
        hint = "run the same command again to finish the rest",
        "queue is not empty at the end"
    );
}
