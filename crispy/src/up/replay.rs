//! `crispy up --replay`: what was given up is sent again before anything else begins.

use anyhow::Context;
use crispy_proto::id::Name;
use crispy_queue::{Connection, DeadLetterFilter, DeadLetters};
use crispy_runtime::Failed;
use tracing::info;

/// Replays every dead letter of `site`. Cut short, the rest is done by the next time.
pub(super) async fn replay(connection: &Connection, site: &Name) -> Result<(), Failed> {
    let letters = DeadLetters::new(connection);
    let plot = DeadLetterFilter {
        site: Some(site.clone()),
        ..DeadLetterFilter::default()
    };
    let mut found = Vec::new();
    letters
        .each(&plot, |buried| found.push(buried))
        .await
        .context("look for what was given up")?;
    let by = crispy_runtime::producer(env!("CARGO_PKG_VERSION"));
    for buried in &found {
        letters
            .replay(buried, &by)
            .await
            .context("send again what was given up")?;
    }
    info!(messages = found.len(), "sent again what was given up");
    Ok(())
}
