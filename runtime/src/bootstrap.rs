//! Start and end of every program: configuration, logs, telemetry, health, signals, exit code.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches};
use rustls::crypto::ring;
use tokio::runtime;
use tracing::{error, info};

use crate::{
    Exit, Failed, Stop,
    about::{About, Role, Threads},
    logging::{self, RateLimitedLog, log_suppressed},
    observability::Observability,
    parent,
    settings::{self, ConfigError, Sources},
    signals,
};

/// Runs a program: configuration, telemetry, logs, health, signals, a "starting" line, `run`, exit
/// code.
///
/// * A wrong command line, file or environment ends it before `run`, with [`Exit::Usage`] or
///   [`Exit::Configuration`].
/// * The first SIGTERM or SIGINT requests the [`Stop`] that `run` was given; a `run` that then
///   returns `Ok` ends in [`Exit::Ok`]. The second ends the process at once, even one whose runtime
///   is stuck.
/// * A failure is shown once, as its chain on one line, with its exit code.
/// * Tasks and blocking work that `run` has not joined when it returns are abandoned.
/// * Waiting traces and metrics are sent before it ends, for a second at most.
pub fn main<C, R, F>(about: &About, run: R) -> ExitCode
where
    C: CommandFactory + FromArgMatches,
    R: FnOnce(C, Stop) -> F,
    F: Future<Output = Result<(), Failed>>,
{
    if let Err(error) = parent::die_with_supervisor() {
        print(&format!("error: {}: {error}", parent::PARENT_VARIABLE));
        return Exit::Failure.into();
    }
    // The TLS of every client of the process. A test that embeds a program has one already.
    drop(ring::default_provider().install_default());
    let (config, flags) = match settings::parse::<C>(about.name, &Sources::from_process()) {
        Ok(parsed) => parsed,
        Err(error) => return refuse(error).into(),
    };
    let mut observability = match Observability::prepare(about, &flags) {
        Ok(observability) => observability,
        Err(failed) => {
            print(&format!("error: {failed}"));
            return failed.exit.into();
        }
    };
    let level = about.role.default_level();
    let log = logging::init(&flags.logs, level, observability.tracer());
    observability.log_ignored();
    let result = start(about, &mut observability, log.clone(), |stop| {
        run(config, stop)
    });
    log.flush();
    match (result, about.role) {
        (Ok(()), _) => {
            info!(program = about.name, "stopped");
            Exit::Ok
        }
        (Err(failed), Role::Daemon) => {
            // The chain is the message: readers find it first, and alerts go by `exit`.
            error!(exit = failed.exit.code(), program = about.name, "{failed}");
            failed.exit
        }
        (Err(failed), Role::Command) => {
            print(&format!("error: {failed}"));
            failed.exit
        }
    }
    .into()
}

fn start<F>(
    about: &About,
    observability: &mut Observability,
    log: RateLimitedLog,
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
    let result = runtime.block_on(async {
        let stop = Stop::new();
        tokio::spawn(signals::first(stop.clone()).context("listen for signals")?);
        tokio::spawn(log_suppressed(log));
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
    result
}

/// Prints a refusal as clap does, for there is no log yet.
fn refuse(error: ConfigError) -> Exit {
    let exit = error.exit();
    match error {
        // Help goes to stdout, errors to stderr. Where neither can be written, the exit code
        // remains.
        ConfigError::CommandLine(error) => drop(error.print()),
        ConfigError::File(error) => print(&format!("error: {:#}", anyhow::Error::new(error))),
    }
    exit
}

fn print(line: &str) {
    // Where stderr cannot be written, the exit code remains.
    drop(writeln!(io::stderr(), "{line}"));
}
