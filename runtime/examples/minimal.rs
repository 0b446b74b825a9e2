//! The smallest program behind the door: it waits to be stopped, or ends as it is told. `tests/process/lifecycle.rs` rings it.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Parser, ValueEnum};
use crispy_runtime::{About, Exit, Failed, Role, Stop, Threads, WithExit};
use tracing::info;

/// Waits to be stopped
#[derive(Debug, Parser)]
#[command(version)]
struct Config {
    /// How it ends
    #[arg(long, default_value = "stopped")]
    end: End,
    /// How long it is willing to wait
    #[arg(long, env = "CRISPY_PATIENCE", value_parser = crispy_runtime::settings::duration, default_value = "1m")]
    patience: Duration,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum End {
    /// When it is asked to
    Stopped,
    /// Not when it is asked to: its one thread is busy
    Stuck,
    /// With an error
    Failed,
    /// With a bug
    Panicked,
}

async fn run(config: Config, stop: Stop) -> Result<(), Failed> {
    info!(patience = ?config.patience, "waiting");
    match config.end {
        End::Stopped => tokio::time::timeout(config.patience, stop.requested()).await?,
        End::Stuck => std::thread::sleep(config.patience),
        End::Failed => Err(anyhow!("lock is held"))
            .context("open spool /s")
            .exit(Exit::SpoolInUse)?,
        End::Panicked => panic!("out of patience"),
    }
    Ok(())
}

fn main() -> ExitCode {
    let about = About {
        name: "crispy-minimal",
        version: env!("CARGO_PKG_VERSION"),
        role: Role::Daemon,
        threads: Threads::Few,
    };
    crispy_runtime::main::<Config, _, _>(&about, run)
}
