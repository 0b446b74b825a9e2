//! `crispy status`: shows the queue, and what needs attention.
//!
//! ```text
//!   streams, consumers, dead letters, last uploads ─► findings (pure) ─► tables, JSONL, exit code
//! ```

mod findings;
mod render;

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use anyhow::anyhow;
use crispy_queue::{Connection, Overview};
use crispy_runtime::{Exit, Failed, NatsFlags, Stop};
use jiff::Timestamp;
use tokio::time::sleep;

use crate::output::{Format, print};

/// Pause between two refreshes. Each is a dozen requests.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

/// Moves a terminal's cursor to the top and clears the screen below it (ECMA-48: CUP, ED).
const CLEAR: &str = "\x1b[H\x1b[J";

/// Show streams, consumers and cameras, and what needs attention
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Status {
    /// Refresh every 2 seconds, until stopped
    #[arg(long)]
    watch: bool,

    /// Format of stdout
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,

    #[command(flatten)]
    nats: NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy status --nats-server nats://hub:4222
  crispy status --watch
  crispy status -o jsonl | jq 'select(.type == \"concern\")'

Exit code 0: all is well. 44: a stream or consumer is missing. 52: there are dead letters. 54: no worker takes the messages that wait, or a
stream or the messages in flight are over nine tenths of their limit. Of several findings the most severe decides.";

/// Shows the status once, or until a stop is requested.
pub(crate) async fn run(status: Status, stop: Stop) -> Result<(), Failed> {
    let connection =
        crispy_runtime::connect(&status.nats.options("crispy status")?, &status.nats.prefix)
            .await?;
    let outcome = match status.watch {
        false => show(&connection, status.output, "").await,
        true => watch(&connection, status.output, &stop).await,
    };
    connection.close().await;
    outcome
}

/// Shows the status repeatedly. Findings and a lost connection do not end it: an operator watches
/// their repair.
async fn watch(connection: &Connection, format: Format, stop: &Stop) -> Result<(), Failed> {
    let clear = match format == Format::Table && io::stdout().is_terminal() {
        true => CLEAR,
        false => "",
    };
    loop {
        let shown = tokio::select! {
            () = stop.requested() => return Ok(()),
            shown = show(connection, format, clear) => shown,
        };
        match shown {
            Err(failed) if failed.exit == Exit::Failure => return Err(failed),
            Err(failed) if failed.exit == Exit::NatsUnreachable => {
                writeln!(io::stderr(), "error: {failed}")?;
            }
            _ => {}
        }
        tokio::select! {
            () = stop.requested() => return Ok(()),
            () = sleep(REFRESH_INTERVAL) => {}
        }
    }
}

async fn show(connection: &Connection, format: Format, clear: &str) -> Result<(), Failed> {
    let overview = Overview::read(connection).await;
    let overview = overview.map_err(Failed::from_queue)?;
    let (findings, now) = (findings::findings(&overview), Timestamp::now());
    match format {
        Format::Table => {
            let text = render::tables(&overview, &findings, now);
            print(&format!("{clear}{text}"))?;
        }
        Format::Jsonl => {
            for line in render::lines(&overview, &findings, now) {
                print(&line.to_string())?;
            }
        }
    }
    match findings::exit(&findings) {
        Exit::Ok => Ok(()),
        exit => Err(Failed::new(exit, anyhow!("{}", exit.meaning()))),
    }
}
