//! The one door through which every program starts and ends.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches};
use tokio::runtime;
use tracing::{error, info};

use crate::about::{About, Role, Threads};
use crate::logging::{RateLimitedLog, keep_sweeping};
use crate::observability::Observability;
use crate::settings::{self, ConfigError, Sources};
use crate::{Exit, Failed, Stop, logging, parent, signals};

/// Runs a program: configuration, telemetry, logs, health, signals, one "starting" line, `run`, exit code.
///
/// * What is wrong with command line, file or environment ends it before `run`, with [`Exit::Usage`] or [`Exit::Configuration`].
/// * The first SIGTERM or SIGINT requests the [`Stop`] that `run` was given; a `run` that then returns `Ok` ends in
///   [`Exit::Ok`]. The second ends the process at once, even one whose runtime is stuck.
/// * A failure is shown once, as its chain on one line, with its exit code.
/// * Tasks and blocking work that `run` has not joined when it returns are abandoned.
/// * Traces and metrics that wait are sent before it ends, for a second at most.
pub fn main<C, R, F>(about: &About, run: R) -> ExitCode
where
    C: CommandFactory + FromArgMatches,
    R: FnOnce(C, Stop) -> F,
    F: Future<Output = Result<(), Failed>>,
{
    if let Err(error) = parent::die_with_supervisor() {
        say(&format!("error: {}: {error}", parent::PARENT_VARIABLE));
        return Exit::Failure.into();
    }
    let (config, flags) = match settings::parse::<C>(about.name, &Sources::from_process()) {
        Ok(parsed) => parsed,
        Err(error) => return refuse(error).into(),
    };
    let mut observability = match Observability::prepare(about, &flags) {
        Ok(observability) => observability,
        Err(failed) => {
            say(&format!("error: {failed}"));
            return failed.exit.into();
        }
    };
    let bursts = logging::init(
        &flags.logs,
        about.role.default_level(),
        observability.tracer(),
    );
    let outcome = start(about, &mut observability, bursts.clone(), |stop| {
        run(config, stop)
    });
    bursts.flush();
    match (outcome, about.role) {
        (Ok(()), _) => {
            info!(program = about.name, "stopped");
            Exit::Ok
        }
        (Err(failed), Role::Daemon) => {
            // The chain is the message: whoever reads a log of failures by eye finds it first, and alerts go by `exit`.
            error!(exit = failed.exit.code(), program = about.name, "{failed}");
            failed.exit
        }
        (Err(failed), Role::Command) => {
            say(&format!("error: {failed}"));
            failed.exit
        }
    }
    .into()
}

fn start<F>(
    about: &About,
    observability: &mut Observability,
    bursts: RateLimitedLog,
    run: impl FnOnce(Stop) -> F,
) -> Result<(), Failed>
where
    F: Future<Output = Result<(), Failed>>,
{
    signals::arm_second().context("listen for signals")?;
    let mut builder = match about.threads {
        Threads::Few => runtime::Builder::new_current_thread(),
        Threads::PerCore => runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().context("start the runtime")?;
    let outcome = runtime.block_on(async {
        let stop = Stop::new();
        tokio::spawn(signals::first(stop.clone()).context("listen for signals")?);
        tokio::spawn(keep_sweeping(bursts));
        info!(
            program = about.name,
            version = about.version,
            pid = std::process::id(),
            "starting"
        );
        observability.open(about, &stop)?;
        run(stop).await
    });
    runtime.shutdown_background();
    outcome
}

/// There are no logs yet: it is said as clap says it.
fn refuse(error: ConfigError) -> Exit {
    let exit = error.exit();
    match error {
        // Help goes to stdout, errors to stderr; where neither can be written there is nobody to tell.
        ConfigError::CommandLine(error) => drop(error.print()),
        ConfigError::File(error) => say(&format!("error: {:#}", anyhow::Error::new(error))),
    }
    exit
}

fn say(line: &str) {
    // Where stderr cannot be written there is nobody to tell; the exit code still says it.
    drop(writeln!(io::stderr(), "{line}"));
}
