//! `crispy dead`: work that was given up.
//!
//! ```text
//!   list ──► show NUMBER ──► mend the reason ──► replay: back into the queue │ drop: its bytes may go, and the loss is declared
//! ```
//!
//! What is replayed or dropped leaves the list once the queue, or the owner of the chunk's bytes, has been told: each step may be repeated.

mod selection;
mod show;

use std::io::{self, Write};

use anyhow::anyhow;
use crispy_fault::Fault;
use crispy_proto::v1::Producer;
use crispy_queue::{Connection, DeadLetters, StoredDeadLetter};
use crispy_runtime::NatsFlags;
use crispy_runtime::{Exit, Failed};
use serde_json::json;

use crate::output::{Form, print};
use selection::Selection;

/// Look at work that was given up, send it again, or let go of it
#[derive(Clone, Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Dead {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Deed {
    /// List dead letters, oldest first
    List {
        #[command(flatten)]
        selection: Selection,
        #[command(flatten)]
        common: Common,
    },
    /// Show all that single dead letters say
    Show {
        /// Numbers from the list
        #[arg(value_name = "NUMBER", required = true)]
        numbers: Vec<u64>,
        #[command(flatten)]
        common: Common,
    },
    /// Send work again, all of it unless numbers or filters choose
    Replay(Chosen),
    /// Let go of work for good: a chunk that only a spool has is lost, and its ingestor declares so
    Drop {
        #[command(flatten)]
        chosen: Chosen,
        /// Drop everything, where neither numbers nor filters choose
        #[arg(long)]
        yes: bool,
    },
}

/// Which letters something shall be done with.
#[derive(Clone, Debug, clap::Args)]
struct Chosen {
    /// Numbers from the list
    #[arg(value_name = "NUMBER", conflicts_with_all = ["stage", "site", "camera", "reason", "since", "until"])]
    numbers: Vec<u64>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Debug, clap::Args)]
struct Common {
    /// What is written to stdout
    #[arg(
        help_heading = "Options",
        short,
        long,
        value_name = "FORM",
        default_value = "table"
    )]
    output: Form,
    #[command(flatten)]
    nats: NatsFlags,
}

const EXAMPLES: &str = "\
Examples:
  crispy dead list --nats-server nats://hub:4222 --since 2h
  crispy dead show 17
  crispy dead replay --camera till --reason 'bucket' --dry-run
  crispy dead replay 17 18
  crispy dead drop 17

Doing it twice does no harm.";

/// Does what was asked for.
pub(crate) async fn run(dead: Dead) -> Result<(), Failed> {
    let common = dead.deed.common();
    let connection =
        crispy_runtime::connect(&common.nats.options("crispy dead")?, &common.nats.prefix).await?;
    crispy_runtime::check_streams(&connection, &[crispy_queue::Stream::Dead]).await?;
    let outcome = dead.deed.done(&connection).await;
    connection.close().await;
    outcome
}

impl Deed {
    fn common(&self) -> &Common {
        match self {
            Self::List { common, .. } | Self::Show { common, .. } => common,
            Self::Replay(chosen) | Self::Drop { chosen, .. } => &chosen.common,
        }
    }

    async fn done(&self, connection: &Connection) -> Result<(), Failed> {
        let letters = DeadLetters::new(connection);
        match self {
            Self::List { selection, common } => list(&letters, selection, common.output).await,
            Self::Show { numbers, common } => show(&letters, numbers, common.output).await,
            Self::Replay(chosen) => deal(&letters, chosen, Action::Replay).await,
            Self::Drop { chosen, yes } => {
                if chosen.numbers.is_empty() && chosen.selection.is_all() && !yes {
                    let what = "this would drop every dead letter: give numbers or filters, or --yes if that is meant";
                    return Err(Failed::new(Exit::Usage, anyhow!(what)));
                }
                deal(&letters, chosen, Action::Drop).await
            }
        }
    }
}

async fn list(letters: &DeadLetters, selection: &Selection, form: Form) -> Result<(), Failed> {
    let found = selected(letters, selection).await?;
    match form {
        Form::Table => print(&show::table(&found))?,
        Form::Jsonl => {
            for buried in &found {
                print(&show::json(buried).to_string())?;
            }
        }
    }
    Ok(())
}

async fn show(letters: &DeadLetters, numbers: &[u64], form: Form) -> Result<(), Failed> {
    for buried in numbered(letters, numbers).await? {
        match form {
            Form::Table => print(&show::page(&buried))?,
            Form::Jsonl => print(&show::json(&buried).to_string())?,
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Replay,
    Drop,
}

/// Deals with each letter that was chosen. One that cannot be dealt with does not keep the others from it.
async fn deal(letters: &DeadLetters, chosen: &Chosen, action: Action) -> Result<(), Failed> {
    let found = match chosen.numbers.is_empty() {
        true => selected(letters, &chosen.selection).await?,
        false => numbered(letters, &chosen.numbers).await?,
    };
    let by = crispy_runtime::producer(env!("CARGO_PKG_VERSION"));
    let mut failures = 0_usize;
    for buried in &found {
        let said = match chosen.dry_run {
            true => Ok(would(action)),
            false => act(letters, buried, action, &by).await,
        };
        match said {
            Ok(outcome) => print(&told(buried, outcome, chosen.common.output))?,
            Err(error) => {
                failures += 1;
                let error = anyhow::Error::new(error);
                writeln!(io::stderr(), "error: {error:#}")?;
            }
        }
    }
    if failures > 0 {
        let total = found.len();
        return Err(anyhow!("{failures} of {total} dead letters are as they were").into());
    }
    if found.is_empty() && chosen.common.output == Form::Table {
        print("no dead letters")?;
    }
    Ok(())
}

fn would(action: Action) -> &'static str {
    match action {
        Action::Replay => "would be replayed",
        Action::Drop => "would be dropped",
    }
}

async fn act(
    letters: &DeadLetters,
    buried: &StoredDeadLetter,
    action: Action,
    by: &Producer,
) -> Result<&'static str, Fault> {
    Ok(match action {
        Action::Replay => match letters.replay(buried, by).await?.duplicate {
            false => "replayed",
            true => "replayed before: the server has it already",
        },
        Action::Drop => match letters.drop(buried, by).await? {
            true => "dropped",
            false => "dropped before",
        },
    })
}

fn told(buried: &StoredDeadLetter, outcome: &str, form: Form) -> String {
    let (number, work) = (buried.sequence, show::work(buried));
    match form {
        Form::Table => format!("{number}: {work}: {outcome}"),
        Form::Jsonl => {
            let camera = buried.camera.to_string();
            json!({"type": "dead_letter_outcome", "number": number, "camera": camera, "work": work, "outcome": outcome}).to_string()
        }
    }
}

async fn selected(
    letters: &DeadLetters,
    selection: &Selection,
) -> Result<Vec<StoredDeadLetter>, Failed> {
    let mut found = Vec::new();
    let collect = |buried: StoredDeadLetter| {
        if selection.wants(&buried) {
            found.push(buried);
        }
    };
    letters
        .each(&selection.plot(), collect)
        .await
        .map_err(|fault| Failed::from_queue(fault.context("read the dead letters")))?;
    Ok(found)
}

/// All of them, or an error that names what is not there, before anything is done.
async fn numbered(letters: &DeadLetters, numbers: &[u64]) -> Result<Vec<StoredDeadLetter>, Failed> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for number in numbers {
        match letters.get(*number).await? {
            Some(buried) => found.push(buried),
            None => missing.push(number.to_string()),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let missing = missing.join(", ");
    Err(anyhow!("no dead letter {missing} (any more): see `crispy dead list`").into())
}
