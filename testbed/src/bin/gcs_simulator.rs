//! `crispy-gcs-simulator`: Google Cloud Storage on this machine, in memory, for the load test, the benchmark and trying things by hand.
#![allow(
    clippy::print_stdout,
    reason = "what it prints is what it is started for"
)]

use std::{io::Write, net::SocketAddr, time::Duration};

use clap::Parser;
use crispy_testbed::{GcsServer, gcs::Options};

/// Google Cloud Storage on this machine, in memory: its XML API, and as much of its JSON API as clients ask at their start.
///
/// It runs until it is ended by a signal, and forgets all objects then.
#[derive(Parser)]
#[command(name = "crispy-gcs-simulator", version)]
struct Cli {
    /// Where to listen; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// A bucket that exists; may be repeated
    #[arg(long, value_name = "NAME", default_value = GcsServer::BUCKET)]
    bucket: Vec<String>,

    /// Answer everything so much later, as a bucket far away
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    latency: Duration,

    /// Answer 401 without a token of its own, from URL/token or from it as metadata server
    #[arg(long)]
    token_required: bool,

    /// How long tokens are good for
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
    token_lifetime: Duration,

    /// Keep at most so many bytes: the oldest objects are dropped
    #[arg(long, value_name = "SIZE")]
    max_bytes: Option<bytesize::ByteSize>,
}

fn main() {
    let cli = Cli::parse();
    let gcs = GcsServer::start_with(Options {
        listen: cli.listen,
        buckets: cli.bucket.clone(),
        latency: cli.latency,
        token_required: cli.token_required,
        token_lifetime: cli.token_lifetime,
        max_bytes: cli.max_bytes.map(|size| size.as_u64()),
        ..Options::default()
    });
    println!("buckets: {}", cli.bucket.join(" "));
    println!("export STORAGE_EMULATOR_HOST={}", gcs.url());
    // Whoever reads a pipe waits for the line above.
    let _ = std::io::stdout().flush();
    loop {
        std::thread::park();
    }
}
