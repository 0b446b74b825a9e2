//! `crispy dead`: lists, shows, replays and drops dead letters.
//!
//! ```text
//!   list ─► show NUMBER ─► fix the reason ─► replay: back into the queue
//!                                            drop: free its bytes, declare the loss
//! ```
//!
//! A dead letter leaves the list once its replay or drop is published: each step can be repeated.

mod render;
mod selection;

use std::io::{self, Write};

use anyhow::anyhow;
use crispy_fault::Fault;
use crispy_proto::v1::Producer;
use crispy_queue::{Connection, DeadLetters, StoredDeadLetter};
use crispy_runtime::{Exit, Failed, NatsFlags};
use serde_json::json;

use crate::output::{Format, print};
use selection::Selection;

/// List, replay or drop dead letters: messages that a stage has given up
#[derive(Clone, Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Dead {
    #[command(subcommand)]
    command: DeadCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum DeadCommand {
    /// List dead letters, oldest first
    List {
        #[command(flatten)]
        selection: Selection,
        #[command(flatten)]
        common: Common,
    },
    /// Show every field of a dead letter
    Show {
        /// Numbers from the list
        #[arg(value_name = "NUMBER", required = true)]
        numbers: Vec<u64>,
        #[command(flatten)]
        common: Common,
    },
    /// Publish their messages again: all, or those chosen by numbers or filters
    Replay(Targets),
    /// Remove them for good: a chunk that only a spool has is lost, and its ingestor declares the
    /// loss
    Drop {
        #[command(flatten)]
        targets: Targets,
        /// Drop all, if neither numbers nor filters are given
        #[arg(long)]
        yes: bool,
    },
}

/// The dead letters to replay or drop.
#[derive(Clone, Debug, clap::Args)]
struct Targets {
    /// Numbers from the list
    #[arg(value_name = "NUMBER", conflicts_with_all = ["stage", "site", "camera", "reason", "since", "until"])]
    numbers: Vec<u64>,
    /// Show the outcome without doing anything
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    common: Common,
}

#[derive(Clone, Debug, clap::Args)]
struct Common {
    /// Format of stdout
    #[arg(
        help_heading = "Options",
        short,
        long,
        value_name = "FORMAT",
        default_value = "table"
    )]
    output: Format,
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

A second replay or drop does no harm.";

/// Runs the subcommand.
pub(crate) async fn run(dead: Dead) -> Result<(), Failed> {
    let common = dead.command.common();
    let options = common.nats.options("crispy dead")?;
    let connection = crispy_runtime::connect(&options, &common.nats.prefix).await?;
    crispy_runtime::check_streams(&connection, &[crispy_queue::Stream::Dead]).await?;
    let outcome = dead.command.run(&connection).await;
    connection.close().await;
    outcome
}

impl DeadCommand {
    fn common(&self) -> &Common {
        match self {
            Self::List { common, .. } | Self::Show { common, .. } => common,
            Self::Replay(targets) | Self::Drop { targets, .. } => &targets.common,
        }
    }

    async fn run(&self, connection: &Connection) -> Result<(), Failed> {
        let letters = DeadLetters::new(connection);
        match self {
            Self::List { selection, common } => list(&letters, selection, common.output).await,
            Self::Show { numbers, common } => show(&letters, numbers, common.output).await,
            Self::Replay(targets) => resolve(&letters, targets, Action::Replay).await,
            Self::Drop { targets, yes } => {
                if targets.numbers.is_empty() && targets.selection.is_all() && !yes {
                    let message =
                        anyhow!("this would drop every dead letter: add numbers, filters or --yes");
                    return Err(Failed::new(Exit::Usage, message));
                }
                resolve(&letters, targets, Action::Drop).await
            }
        }
    }
}

async fn list(letters: &DeadLetters, selection: &Selection, format: Format) -> Result<(), Failed> {
    let found = selected(letters, selection).await?;
    match format {
        Format::Table => print(&render::table(&found))?,
        Format::Jsonl => {
            for letter in &found {
                print(&render::json(letter).to_string())?;
            }
        }
    }
    Ok(())
}

async fn show(letters: &DeadLetters, numbers: &[u64], format: Format) -> Result<(), Failed> {
    for letter in numbered(letters, numbers).await? {
        match format {
            Format::Table => print(&render::page(&letter))?,
            Format::Jsonl => print(&render::json(&letter).to_string())?,
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Replay,
    Drop,
}

/// Replays or drops each target. A failure does not stop the others.
async fn resolve(letters: &DeadLetters, targets: &Targets, action: Action) -> Result<(), Failed> {
    let found = match targets.numbers.is_empty() {
        true => selected(letters, &targets.selection).await?,
        false => numbered(letters, &targets.numbers).await?,
    };
    let by = crispy_runtime::producer(env!("CARGO_PKG_VERSION"));
    let mut failures = 0_usize;
    for letter in &found {
        let outcome = match targets.dry_run {
            true => Ok(planned_outcome(action)),
            false => apply(letters, letter, action, &by).await,
        };
        match outcome {
            Ok(outcome) => print(&outcome_line(letter, outcome, targets.common.output))?,
            Err(error) => {
                failures += 1;
                let error = anyhow::Error::new(error);
                writeln!(io::stderr(), "error: {error:#}")?;
            }
        }
    }
    if failures > 0 {
        let total = found.len();
        return Err(anyhow!("{failures} of {total} dead letters could not be changed").into());
    }
    if found.is_empty() && targets.common.output == Format::Table {
        print("no dead letters")?;
    }
    Ok(())
}

fn planned_outcome(action: Action) -> &'static str {
    match action {
        Action::Replay => "would be replayed",
        Action::Drop => "would be dropped",
    }
}

async fn apply(
    letters: &DeadLetters,
    letter: &StoredDeadLetter,
    action: Action,
    by: &Producer,
) -> Result<&'static str, Fault> {
    Ok(match action {
        Action::Replay => match letters.replay(letter, by).await?.duplicate {
            false => "replayed",
            true => "already replayed",
        },
        Action::Drop => match letters.drop(letter, by).await? {
            true => "dropped",
            false => "already dropped",
        },
    })
}

fn outcome_line(letter: &StoredDeadLetter, outcome: &str, format: Format) -> String {
    let (number, work) = (letter.sequence, render::subject(letter));
    match format {
        Format::Table => format!("{number}: {work}: {outcome}"),
        Format::Jsonl => {
            let camera = letter.camera.to_string();
            json!({"type": "dead_letter_outcome", "number": number, "camera": camera, "work": work, "outcome": outcome}).to_string()
        }
    }
}

async fn selected(
    letters: &DeadLetters,
    selection: &Selection,
) -> Result<Vec<StoredDeadLetter>, Failed> {
    let mut found = Vec::new();
    let collect = |letter: StoredDeadLetter| {
        if selection.matches(&letter) {
            found.push(letter);
        }
    };
    letters
        .each(&selection.filter(), collect)
        .await
        .map_err(|fault| Failed::from_queue(fault.context("read the dead letters")))?;
    Ok(found)
}

/// The dead letters with these numbers, or an error that names the missing ones.
async fn numbered(letters: &DeadLetters, numbers: &[u64]) -> Result<Vec<StoredDeadLetter>, Failed> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for number in numbers {
        match letters.get(*number).await? {
            Some(letter) => found.push(letter),
            None => missing.push(number.to_string()),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    let missing = missing.join(", ");
    Err(anyhow!("no dead letter {missing}: see `crispy dead list`").into())
}
