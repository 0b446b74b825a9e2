//! The smallest program that tells of itself: chunks in traces, metrics and lines, and a condition. `tests/process` listens to it.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use crispy_runtime::{About, Failed, Role, Stop, Threads, health, logging};
use crispy_telemetry::catalogue::{CAMERA, INGESTOR_CHUNKS};
use crispy_telemetry::context::{self, Remote};
use tracing::{Instrument, error, info, info_span, warn};

/// Tells of chunks that are none
#[derive(Debug, Parser)]
#[command(version)]
struct Config {
    /// How many chunks
    #[arg(long, default_value_t = 1)]
    chunks: u32,
    /// Every so many of them fails to be put; 0: none does
    #[arg(long, default_value_t = 0)]
    fail_every: u32,
    /// How often it warns of the same thing
    #[arg(long, default_value_t = 0)]
    warnings: u32,
    /// Not ready, because its bucket is away
    #[arg(long)]
    bucket_away: bool,
    /// Its one thread is busy for so long
    #[arg(long, value_parser = crispy_runtime::settings::duration)]
    stuck: Option<Duration>,
    /// How long it takes to stop
    #[arg(long, value_parser = crispy_runtime::settings::duration, default_value = "0s")]
    lingers: Duration,
    /// Ends when all is told, instead of waiting to be stopped
    #[arg(long)]
    ends: bool,
}

async fn run(config: Config, stop: Stop) -> Result<(), Failed> {
    let readiness = health::readiness();
    let bucket = readiness.condition("bucket");
    match config.bucket_away {
        true => bucket.unmet("it does not answer; check the network"),
        false => bucket.met(),
    }
    readiness.started();
    for sequence in 0..config.chunks {
        let fails = config.fail_every > 0 && sequence % config.fail_every == 0;
        let cut = info_span!("cut chunk", camera = "front", sequence);
        chunk(sequence, fails).instrument(cut).await;
    }
    for n in 0..config.warnings {
        warn!(target: logging::CHUNKS, n, "the same trouble; mend it");
    }
    info!("told");
    if let Some(stuck) = config.stuck {
        std::thread::sleep(stuck);
    }
    if !config.ends {
        stop.requested().await;
        tokio::time::sleep(config.lingers).await;
    }
    Ok(())
}

async fn chunk(sequence: u32, fails: bool) {
    INGESTOR_CHUNKS.add(1, &[(CAMERA, "front")]);
    let publish = info_span!("publish chunks.{camera}", otel.kind = "producer");
    let headers = publish.in_scope(context::headers);
    // Elsewhere, as far as the trace is concerned.
    let process = info_span!(parent: None, "process chunks.{camera}", otel.kind = "consumer");
    let headers = headers.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    Remote::from_headers(headers).adopt(&process);
    handle(sequence, fails).instrument(process).await;
}

async fn handle(sequence: u32, fails: bool) {
    let put = info_span!("PUT object", otel.kind = "client");
    put.in_scope(|| match fails {
        true => error!(sequence, "the bucket answers 403; check the credentials"),
        false => info!(target: logging::CHUNKS, sequence, "uploaded"),
    });
    if fails {
        context::fail("put object");
    }
}

fn main() -> ExitCode {
    let about = About {
        name: "crispy-reporter",
        version: env!("CARGO_PKG_VERSION"),
        role: Role::Daemon,
        threads: Threads::Few,
    };
    crispy_runtime::main::<Config, _, _>(&about, run)
}
