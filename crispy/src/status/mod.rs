//! `crispy status`: how the queue stands, and whether it needs a human.
//!
//! ```text
//!   streams, consumers, dead letters, last uploads ──► concerns (pure) ──► tables or JSON lines, exit code
//! ```

mod show;
mod verdict;

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use anyhow::anyhow;
use crispy_queue::{Connection, Overview};
use crispy_runtime::NatsFlags;
use crispy_runtime::{Exit, Failed, Stop};
use jiff::Timestamp;
use tokio::time::sleep;

use crate::output::{Form, print};

/// Pause between two looks. Each is a dozen requests.
const LOOK: Duration = Duration::from_secs(2);

/// Moves a terminal's cursor to the top and clears what was below it (ECMA-48: CUP, ED).
const CLEAR: &str = "\x1b[H\x1b[J";

/// Show how streams, consumers and cameras stand, and whether somebody has to do something
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Status {
    /// Look again every 2 seconds, until stopped
    #[arg(long)]
    watch: bool,

    /// What is written to stdout
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: Form,

    #[command(flatten)]
    nats: NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy status --nats-server nats://hub:4222
  crispy status --watch
  crispy status -o jsonl | jq 'select(.type == \"concern\")'

It ends with 0 if all is well, else with the code of the gravest concern: 44 a stream or consumer is missing, 52 there are dead letters,
54 work waits for nobody, or a stream or a stage's work in flight is over nine tenths of its limit.";

/// Looks once, or until it is told to stop.
pub(crate) async fn run(status: Status, stop: Stop) -> Result<(), Failed> {
    let connection =
        crispy_runtime::connect(&status.nats.options("crispy status")?, &status.nats.prefix)
            .await?;
    let outcome = match status.watch {
        false => look(&connection, status.output, "").await,
        true => watch(&connection, status.output, &stop).await,
    };
    connection.close().await;
    outcome
}

/// What is wrong for now is shown and not an end: somebody watches it being mended.
async fn watch(connection: &Connection, form: Form, stop: &Stop) -> Result<(), Failed> {
    let clear = match form == Form::Table && io::stdout().is_terminal() {
        true => CLEAR,
        false => "",
    };
    loop {
        let looked = tokio::select! {
            () = stop.requested() => return Ok(()),
            looked = look(connection, form, clear) => looked,
        };
        match looked {
            Err(failed) if failed.exit == Exit::Failure => return Err(failed),
            Err(failed) if failed.exit == Exit::NatsUnreachable => {
                writeln!(io::stderr(), "error: {failed}")?;
            }
            _ => {}
        }
        tokio::select! {
            () = stop.requested() => return Ok(()),
            () = sleep(LOOK) => {}
        }
    }
}

async fn look(connection: &Connection, form: Form, clear: &str) -> Result<(), Failed> {
    let overview = Overview::read(connection)
        .await
        .map_err(Failed::from_queue)?;
    let (concerns, now) = (verdict::concerns(&overview), Timestamp::now());
    match form {
        Form::Table => {
            let text = show::tables(&overview, &concerns, now);
            print(&format!("{clear}{text}"))?;
        }
        Form::Jsonl => {
            for line in show::lines(&overview, &concerns, now) {
                print(&line.to_string())?;
            }
        }
    }
    match verdict::exit(&concerns) {
        Exit::Ok => Ok(()),
        exit => Err(Failed::new(exit, anyhow!("{}", exit.meaning()))),
    }
}
