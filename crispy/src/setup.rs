//! `crispy setup`: creates the streams and consumers of the daemons.

use std::io::{self, Write};

use anyhow::Context;
use crispy_queue::topology::{self, Change};
use crispy_runtime::{Exit, Failed, NatsFlags, WithExit};

/// Create the streams and consumers on a NATS server, or show what would change
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Setup {
    /// Replicas of each stream: 1, 3 or 5 [default: unchanged, 1 for new streams]
    #[arg(long, value_name = "N")]
    replicas: Option<u8>,

    /// Show the changes without making them
    #[arg(long)]
    dry_run: bool,

    /// Reset limits that an operator tuned
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    nats: NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy setup --nats-server nats://hub:4222 --dry-run
  crispy setup --nats-server nats://hub:4222 --replicas 3

A second run changes nothing.";

/// Plans the changes, makes them unless this is a dry run, and prints them.
pub(crate) async fn run(setup: Setup) -> Result<(), Failed> {
    let connection =
        crispy_runtime::connect(&setup.nats.options("crispy setup")?, &setup.nats.prefix).await?;
    let plan = topology::plan(&connection, setup.replicas, setup.force);
    let plan = plan
        .await
        .context("inspect the streams")
        .exit(Exit::Failure)?;
    if setup.dry_run {
        print_changes("would", &plan.changes())?;
    } else {
        let applied = plan
            .apply()
            .await
            .context("set up the streams")
            .exit(Exit::Failure)?;
        print_changes("did", &applied.changes)?;
    }
    connection.close().await;
    Ok(())
}

fn print_changes(tense: &str, changes: &[Change]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for change in changes {
        writeln!(stdout, "{tense}: {change}")?;
    }
    if changes.is_empty() {
        writeln!(stdout, "nothing to change: the streams are up to date")?;
    }
    Ok(())
}
