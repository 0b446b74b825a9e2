//! `crispy setup`: the streams and consumers that the daemons need.

use std::io::{self, Write};

use anyhow::Context;
use crispy_queue::topology::{self, Change};
use crispy_runtime::NatsFlags;
use crispy_runtime::{Exit, Failed, WithExit};

/// Make the streams and consumers on a NATS server, or show what that would change
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Setup {
    /// Copies of each stream: 1, 3 or 5 [default: as they are, 1 for new ones]
    #[arg(long, value_name = "N")]
    replicas: Option<u8>,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Set limits that were tuned by hand back to ours
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    nats: NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy setup --nats-server nats://hub:4222 --dry-run
  crispy setup --nats-server nats://hub:4222 --replicas 3

Doing it twice changes nothing.";

/// Plans, shows, and does it unless it shall only be shown.
pub(crate) async fn run(setup: Setup) -> Result<(), Failed> {
    let connection =
        crispy_runtime::connect(&setup.nats.options("crispy setup")?, &setup.nats.prefix).await?;
    let plan = topology::plan(&connection, setup.replicas, setup.force);
    let plan = plan
        .await
        .context("look at the streams")
        .exit(Exit::Failure)?;
    if setup.dry_run {
        say("would", &plan.changes())?;
    } else {
        let applied = plan
            .apply()
            .await
            .context("set up the streams")
            .exit(Exit::Failure)?;
        say("did", &applied.changes)?;
    }
    connection.close().await;
    Ok(())
}

fn say(tense: &str, changes: &[Change]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    for change in changes {
        writeln!(stdout, "{tense}: {change}")?;
    }
    if changes.is_empty() {
        writeln!(
            stdout,
            "nothing to change: the streams are as they should be"
        )?;
    }
    Ok(())
}
