//! The operator's command.
//!
//! * `crispy up` runs everything on this machine: [`up`]
//! * `crispy setup` creates the streams on a server: [`setup`]
//! * `crispy dead` lists, replays and drops dead letters: [`dead`]
//! * `crispy status` shows the queue, and what needs attention: [`status`]
//! * `crispy trace` draws the trace of one chunk: [`trace`]

mod dead;
mod die_with_parent;
mod output;
mod setup;
mod status;
mod trace;
mod up;

use std::process::ExitCode;

use crispy_runtime::{About, Failed, Role, Stop, Threads};

/// Every second of every camera in the bucket, exactly once, provably
#[derive(Debug, clap::Parser)]
#[command(
    name = "crispy",
    version,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Crispy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Up(Box<up::Up>),
    Setup(Box<setup::Setup>),
    Dead(Box<dead::Dead>),
    Status(Box<status::Status>),
    Trace(Box<trace::Trace>),
}

fn main() -> ExitCode {
    if let Some(code) = die_with_parent::run() {
        return code;
    }
    let about = About {
        name: "crispy",
        version: env!("CARGO_PKG_VERSION"),
        role: Role::Command,
        threads: Threads::Few,
    };
    crispy_runtime::main::<Crispy, _, _>(&about, run)
}

async fn run(crispy: Crispy, stop: Stop) -> Result<(), Failed> {
    match crispy.command {
        Command::Up(up) => up::run(*up, stop).await,
        Command::Setup(setup) => setup::run(*setup).await,
        Command::Dead(dead) => dead::run(*dead).await,
        Command::Status(status) => status::run(*status, stop).await,
        Command::Trace(trace) => trace::run(*trace).await,
    }
}
