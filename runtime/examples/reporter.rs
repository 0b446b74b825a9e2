//! The smallest program with traces, metrics, log lines and a condition. For `tests/process`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use crispy_runtime::{About, Failed, Role, Stop, Threads, health, logging};
use crispy_telemetry::catalogue::{CAMERA, INGESTOR_CHUNKS};
use crispy_telemetry::context::{self, Remote};
use tracing::{Instrument, error, info, info_span, warn};

/// Reports chunks that do not exist
#[derive(Debug, Parser)]
#[command(version)]
struct Config {
    /// Number of chunks
    #[arg(long, default_value_t = 1)]
    chunks: u32,
    /// Every n-th of them fails; 0: none does
    #[arg(long, default_value_t = 0)]
    fail_every: u32,
    /// Number of equal warnings
    #[arg(long, default_value_t = 0)]
    warnings: u32,
    /// Not ready, because its bucket is unavailable
    #[arg(long)]
    bucket_unavailable: bool,
    /// Time for which its one thread is busy
    #[arg(long, value_parser = crispy_runtime::settings::duration)]
    stuck: Option<Duration>,
    /// Time that a stop takes
    #[arg(long, value_parser = crispy_runtime::settings::duration, default_value = "0s")]
    lingers: Duration,
    /// Ends after its reports, instead of waiting for a stop
    #[arg(long)]
    ends: bool,
}

async fn run(config: Config, stop: Stop) -> Result<(), Failed> {
    let readiness = health::readiness();
    let bucket = readiness.condition("bucket");
    match config.bucket_unavailable {
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
        warn!(target: logging::CHUNKS, n, "the same trouble");
    }
    info!("reported");
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
    // As in another process.
    let process = info_span!(parent: None, "process chunks.{camera}", otel.kind = "consumer");
    let headers = headers.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    Remote::from_headers(headers).adopt(&process);
    handle(sequence, fails).instrument(process).await;
}

async fn handle(sequence: u32, fails: bool) {
    let put = info_span!("PUT object", otel.kind = "client");
    put.in_scope(|| match fails {
        true => error!(sequence, "the bucket answers 403"),
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
