//! The smallest program: it waits for a stop, or ends as `--end` says. For
//! `tests/process/lifecycle.rs`.

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
    /// Its end
    #[arg(long, default_value = "stopped")]
    end: End,
    /// Longest time to wait
    #[arg(long, env = "CRISPY_WAIT", value_parser = crispy_runtime::settings::duration, default_value = "1m")]
    wait: Duration,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum End {
    /// At a stop
    Stopped,
    /// Not at a stop: its one thread is busy
    Stuck,
    /// With an error
    Failed,
    /// With a bug
    Panicked,
}

async fn run(config: Config, stop: Stop) -> Result<(), Failed> {
    info!(wait = ?config.wait, "waiting");
    match config.end {
        End::Stopped => tokio::time::timeout(config.wait, stop.requested()).await?,
        End::Stuck => std::thread::sleep(config.wait),
        End::Failed => Err(anyhow!("lock is held"))
            .context("open spool /s")
            .exit(Exit::SpoolInUse)?,
        End::Panicked => panic!("found a bug"),
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
